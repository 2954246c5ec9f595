// SPDX-License-Identifier: Apache-2.0
// A resolver's channel: how c-ares is set up, fed with what its loop sees, and taken down. On the loop's thread.

import CCares
import Glibc
import WeirEventLoop

extension DNSResolver {
    static let noSocket: Int32 = -1
    /// c-ares is set up once for a process; on Linux that cannot fail.
    private static let libraryStatus = ares_library_init(ARES_LIB_INIT_NONE)

    func openChannel(_ name: String) throws(DNSFailure) -> ares_channel {
        if let channel { return channel }
        precondition(Self.libraryStatus == cares_success, "c-ares cannot be set up")
        var settings = ares_options()
        settings.flags = ARES_FLAG_EDNS
        settings.ednspsz = DNSOptions.datagramBytesMax
        settings.timeout = Int32(clamping: options.timeout / 1_000_000)
        settings.tries = Int32(clamping: options.attempts)
        settings.sock_state_cb = { resolver, socket, readable, writable in
            // The resolver takes its channel down before it goes.
            guard let resolver else { return }
            Unmanaged<DNSResolver>.fromOpaque(resolver).takeUnretainedValue()
                .wants(socket, readable: readable != 0, writable: writable != 0)
        }
        settings.sock_state_cb_data = Unmanaged.passUnretained(self).toOpaque()
        var mask = ARES_OPT_FLAGS | ARES_OPT_EDNSPSZ | ARES_OPT_TIMEOUTMS | ARES_OPT_TRIES | ARES_OPT_SOCK_STATE_CB
        // c-ares copies it.
        let file = options.resolverFile.map { strdup($0) }
        defer { free(file ?? nil) }
        if let file {
            settings.resolvconf_path = file
            mask |= ARES_OPT_RESOLVCONF
        }
        var opened: ares_channel?
        var status = ares_init_options(&opened, &settings, mask)
        if status == cares_success, !options.servers.isEmpty {
            status = ares_set_servers_ports_csv(opened, options.servers.map(\.description).joined(separator: ","))
        }
        guard status == cares_success, let opened else {
            if let opened { ares_destroy(opened) }
            throw DNSFailure(status, name)
        }
        family = (options.families ?? .ofThisMachine).socketFamily
        channel = opened
        return opened
    }

    func close() {
        isWorn = false
        guard let channel else { return }
        self.channel = nil
        ares_destroy(channel)
        for watch in watches.values { loop.unwatch(watch) }
        watches = [:]
    }

    /// c-ares says what it wants of one of its sockets, and before it closes one, that it wants nothing more.
    private func wants(_ socket: Int32, readable: Bool, writable: Bool) {
        var interest: DescriptorWatch.Interest = []
        if readable { interest.insert(.readable) }
        if writable { interest.insert(.writable) }
        let watch =
            watches[socket] ?? DescriptorWatch(socket) { [unowned self] _, ready in work(on: socket, ready) }
        watches[socket] = interest.isEmpty ? nil : watch
        // One that cannot be watched is as a server that does not answer.
        try? loop.watch(watch, for: interest)
    }

    /// A socket is ready, or time has passed.
    func work(on socket: Int32, _ ready: DescriptorWatch.Interest) {
        if let channel {
            ares_process_fd(
                channel,
                ready.contains(.readable) ? socket : Self.noSocket,
                ready.contains(.writable) ? socket : Self.noSocket
            )
        }
        let answers = finished
        finished = []
        for answer in answers where !isStopped { answer() }
        rearm()
    }

    func rearm() {
        guard !isStopped else { return }
        guard finished.isEmpty else { return loop.schedule(timer, at: loop.now) }
        var time = timeval()
        guard let channel, ares_timeout(channel, nil, &time) != nil else { return loop.cancel(timer) }
        let wait = Nanoseconds(time.tv_sec) * 1_000_000_000 + Nanoseconds(time.tv_usec) * 1000
        // c-ares looks at the clock itself.
        loop.schedule(timer, at: loop.instant &+ wait)
    }
}
