// SPDX-License-Identifier: Apache-2.0
// A loop and a feed in the test's hands, and what the feed told.

import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport
import WeirUpstream

final class DiscoveryInHand {
    let clock = ManualClock()
    let loop: EventLoop
    let feed: DiscoveryFeed
    private let heard = Heard()
    private var provider: (any DiscoveryProvider)?

    private final class Heard {
        var news: [DiscoveryNews] = []
    }

    init(_ kind: DiscoveryKind, endpointsMax: Int = DiscoveryFeed.endpointsMaxDefault) throws {
        loop = try EventLoop(index: 0, name: "test", metrics: MetricsShard(), clock: .manual(clock))
        let heard = heard
        feed = DiscoveryFeed(upstream: "orders", kind: kind, endpointsMax: endpointsMax) { heard.news.append($0) }
    }

    deinit {
        provider?.stop()
        loop.stop()
        loop.run()
    }

    var news: [DiscoveryNews] { heard.news }

    /// The endpoints that the feed has now, as they are written.
    var listed: [String] { feed.endpoints.map { $0.url.description } }

    /// The last failure, while it lasts.
    var failure: String? { if case .failing(let line) = news.last { line } else { nil } }

    func start(_ provider: some DiscoveryProvider) {
        self.provider = provider
        provider.start()
    }

    /// Turns without waiting: a loop for which a message waits does not sleep.
    func turn(_ count: Int = 1) {
        for _ in 0..<count {
            loop.submit { _ in }
            loop.turn()
        }
    }

    func turn(until what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool) {
        eventually(what, sourceLocation: sourceLocation) {
            turn()
            return condition()
        }
    }

    func advance(by nanoseconds: Nanoseconds) {
        clock.advance(by: nanoseconds)
        turn()
    }
}

extension DiscoveredEndpoint {
    /// One that is written as an endpoint of a list.
    init(_ text: String) throws {
        self.init(try EndpointURL(parsing: text))
    }
}
