// SPDX-License-Identifier: Apache-2.0
// A connection by plain system calls, each of whose waits has an end: no loop, and no thread, of which a pod may have none
// left.

import Glibc
import Weir
import WeirEventLoop

struct AdminConnection: ~Copyable {
    let place: AdminPlace
    private let descriptor: Int32
    private let end: ContinuousClock.Instant

    /// - Throws: `AdminFailure.nothingListens` where it cannot be made.
    init(to place: AdminPlace, until end: ContinuousClock.Instant) throws(AdminFailure) {
        let type = Int32(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(place.address.family, type, 0)
        self.place = place
        self.end = end
        guard descriptor >= 0 else { throw .nothingListens([place], errno: errno) }
        let descriptor = descriptor
        guard place.address.withKernelForm({ Glibc.connect(descriptor, $0, $1) }) != 0 else { return }
        // A Unix socket whose queue is full says EAGAIN, and nothing when it has room.
        guard errno == EINPROGRESS else { throw .nothingListens([place], errno: errno) }
        try wait(for: POLLOUT)
        var (error, length) = (Int32(0), socklen_t(MemoryLayout<Int32>.size))
        getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &error, &length)
        if error != 0 { throw .nothingListens([place], errno: error) }
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// Sends all of it.
    func send(_ bytes: [UInt8]) throws(AdminFailure) {
        var sent = 0
        while sent < bytes.count {
            let count = bytes[sent...].withUnsafeBytes { rest in
                Glibc.send(descriptor, rest.baseAddress, rest.count, Int32(MSG_NOSIGNAL))
            }
            if count > 0 { sent += count } else { try waitOrThrow("send", for: POLLOUT) }
        }
    }

    /// What comes next; empty at the end.
    func receive() throws(AdminFailure) -> [UInt8] {
        var bytes = [UInt8](repeating: 0, count: 16 << 10)
        while true {
            let count = bytes.withUnsafeMutableBytes { recv(descriptor, $0.baseAddress, $0.count, 0) }
            // Whoever resets has ended, too.
            if count == 0 || count < 0 && errno == ECONNRESET { return [] }
            if count > 0 { return Array(bytes[..<count]) }
            try waitOrThrow("recv", for: POLLIN)
        }
    }

    private func waitOrThrow(_ call: String, for event: Int32) throws(AdminFailure) {
        switch errno {
        case EINTR: break
        case EAGAIN: try wait(for: event)
        case let error: throw .system(place, call: call, errno: error)
        }
    }

    private func wait(for event: Int32) throws(AdminFailure) {
        var polled = pollfd(fd: descriptor, events: Int16(event), revents: 0)
        while true {
            let left = ContinuousClock.now.duration(to: end)
            guard left > .zero else { throw .timedOut }
            // Up to the millisecond, so that the end is never missed by turning around too soon.
            let milliseconds = left.components.seconds * 1000 + left.components.attoseconds / 1_000_000_000_000_000 + 1
            if poll(&polled, 1, Int32(clamping: milliseconds)) > 0 { return }
        }
    }
}
