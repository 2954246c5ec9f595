// SPDX-License-Identifier: Apache-2.0
// c-ares on an event loop: its sockets are watched, its timeouts are a timer. Confined to the loop's thread.

import CCares
import Glibc
package import WeirEventLoop
package import WeirUpstream

/// Looks names up, any number of them at once, without a thread and without blocking.
///
/// Answers are given in a later turn of the loop, never inside a call: c-ares must not be taken down from within itself.
package final class DNSResolver {
    /// Addresses, and for how many seconds they may be used.
    package struct Addresses: Equatable, Sendable {
        package let list: [SocketAddress]
        package let timeToLive: UInt32
    }

    let loop: EventLoop
    let options: DNSOptions
    var channel: ares_channel?
    var family = AF_UNSPEC
    /// c-ares's sockets, by their numbers.
    var watches: [Int32: DescriptorWatch] = [:]
    private(set) lazy var timer = LoopTimer { [unowned self] _ in work(on: Self.noSocket, []) }
    private var lookupCount = 0
    /// The answers that c-ares has given and that are still to be passed on.
    var finished: [() -> Void] = []
    /// A lookup has failed for another reason than the name: before the next the servers are read again, which may have
    /// changed. c-ares 1.18 reads them but once.
    var isWorn = false
    private(set) var isStopped = false

    package init(on loop: EventLoop, options: DNSOptions = DNSOptions()) {
        self.loop = loop
        self.options = options
    }

    deinit {
        precondition(channel == nil, "a resolver was let go before it was stopped")
    }

    /// Gives up what is being looked up; nobody is answered from now on. Before the loop ends.
    package func stop() {
        isStopped = true
        close()
        finished = []
        loop.cancel(timer)
    }

    // MARK: Looking up

    /// The addresses of a name, by search domains where it has few dots, IPv4 first and in numeric order.
    package func addresses(
        of name: String,
        port: UInt16,
        _ answer: @escaping (Result<Addresses, DNSFailure>) -> Void
    ) {
        lookUp(name, Lookup(name: name) { answer(Self.addresses(name, port, $0)) }) { channel, argument in
            var hints = ares_addrinfo_hints()
            hints.ai_family = family
            // The order is ours; c-ares would open a socket for each address to find one.
            hints.ai_flags = ARES_AI_NOSORT
            ares_getaddrinfo(channel, name, nil, &hints, Lookup.addressesCame, argument)
        }
    }

    /// The services that a name stands for (RFC 2782), by search domains as well.
    package func services(of name: String, _ answer: @escaping (Result<ServiceAnswer, DNSFailure>) -> Void) {
        let lookup = Lookup(name: name) { found in
            switch found {
            case .bytes(let bytes):
                let services = ServiceAnswer(parsing: bytes)
                answer(
                    services.map { .success($0) } ?? .failure(.failed(name: name, reason: "the answer is malformed"))
                )
            case .failure(let failure): answer(.failure(failure))
            case .addresses: preconditionFailure("addresses that nobody has asked for")
            }
        }
        lookUp(name, lookup) { channel, argument in
            ares_search(channel, name, Self.classInternet, ServiceAnswer.recordType, Lookup.bytesCame, argument)
        }
    }

    /// For who needs addresses now and then, and does not care why there are none.
    package var addressLookup: AddressLookup {
        { [weak self] name, port, answer in
            guard let self else { return answer([]) }
            addresses(of: name, port: port) { answer((try? $0.get())?.list ?? []) }
        }
    }

    private static let classInternet: Int32 = 1

    private func lookUp(_ name: String, _ lookup: Lookup, _ begin: (ares_channel, UnsafeMutableRawPointer) -> Void) {
        guard !isStopped else { return }
        if isWorn, lookupCount == 0 { close() }
        lookupCount += 1
        lookup.resolver = self
        do throws(DNSFailure) {
            // Released by the one call that c-ares makes for it, also when it is taken down.
            begin(try openChannel(name), Unmanaged.passRetained(lookup).toOpaque())
        } catch {
            lookup.finish(.failure(error))
        }
        rearm()
    }

    func finish(_ lookup: Lookup, _ found: Lookup.Found) {
        lookupCount -= 1
        if case .failure(let failure) = found, !failure.isNegative { isWorn = true }
        finished.append { lookup.answer(found) }
    }

    private static func addresses(_ name: String, _ port: UInt16, _ found: Lookup.Found) -> Result<
        Addresses, DNSFailure
    > {
        switch found {
        case .addresses(let list, let timeToLive):
            .success(Addresses(list: list.map { $0.withPort(port) }, timeToLive: timeToLive))
        case .failure(let failure): .failure(failure)
        case .bytes: preconditionFailure("bytes that nobody has asked for")
        }
    }
}
