// SPDX-License-Identifier: Apache-2.0
// Names by the system's resolver, which tells no time to live and blocks: threads do it, of which there are few.

package import WeirEventLoop

/// `getaddrinfo`, again and again. Confined to the loop's thread but for its lookups.
package final class SystemNames: NameSource {
    private let loop: EventLoop
    private let lookups: NameLookups

    package init(on loop: EventLoop) {
        self.loop = loop
        lookups = NameLookups(on: loop)
    }

    package var lookup: AddressLookup { lookups.lookup }

    package func addresses(of name: String, port: UInt16, for feed: DiscoveryFeed) -> any DiscoveryProvider {
        SystemNameProvider(name, port: port, feed: feed, lookup: lookups.lookup, on: loop)
    }

    package func services(of name: String, for feed: DiscoveryFeed) -> (any DiscoveryProvider)? { nil }

    /// A lookup that hangs is left to itself.
    package func stop() {}
}

/// Watches one name, at a fixed interval.
final class SystemNameProvider: DiscoveryProvider {
    /// How often a name that is known is looked up again, and one that is not.
    static let refreshInterval: Nanoseconds = 30_000_000_000
    static let retryInterval: Nanoseconds = 1_000_000_000

    private let name: String
    private let port: UInt16
    private let feed: DiscoveryFeed
    private let lookup: AddressLookup
    private let loop: EventLoop
    private var isRunning = false
    private lazy var timer = LoopTimer { [unowned self] _ in ask() }

    init(_ name: String, port: UInt16, feed: DiscoveryFeed, lookup: @escaping AddressLookup, on loop: EventLoop) {
        self.name = name
        self.port = port
        self.feed = feed
        self.lookup = lookup
        self.loop = loop
    }

    func start() {
        guard !isRunning else { return }
        isRunning = true
        ask()
    }

    func stop() {
        isRunning = false
        loop.cancel(timer)
    }

    private func ask() {
        lookup(name, port) { [weak self] addresses in
            guard let self, isRunning else { return }
            take(addresses)
        }
    }

    private func take(_ addresses: [SocketAddress]) {
        if addresses.isEmpty {
            feed.failed("\(name): the system's resolver has no address")
        } else {
            let authority = EndpointURL(place: .name(name, port: port)).authority
            // Sorted: resolvers turn their lists, and a turned list is no change.
            let sorted = addresses.sorted { $0.description < $1.description }
            feed.found(sorted.map { DiscoveredEndpoint(EndpointURL(place: .address($0)), authority: authority) })
        }
        let isKnown = !feed.endpoints.isEmpty
        loop.schedule(timer, at: loop.now &+ (isKnown ? Self.refreshInterval : Self.retryInterval))
    }
}
