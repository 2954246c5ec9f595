// SPDX-License-Identifier: Apache-2.0
// A resolver and its loop in the test's hands, with a clock that the test moves.

import Testing
import WeirDNS
import WeirEventLoop
import WeirMetrics
import WeirTestSupport
import WeirUpstream

final class DNSInHand {
    let clock = ManualClock()
    let loop: EventLoop
    let resolver: DNSResolver
    let servers: [TestNameServer]
    private var provider: DNSProvider?
    private(set) var feed: DiscoveryFeed?
    private let heard = Heard()

    private final class Heard {
        var news: [DiscoveryNews] = []
    }

    /// - Parameter configure: changes the options that ask the test's servers for all that there is.
    init(servers count: Int = 1, _ configure: (inout DNSOptions, [TestNameServer]) -> Void = { _, _ in }) throws {
        loop = try EventLoop(index: 0, name: "test", metrics: MetricsShard(), clock: .manual(clock))
        servers = try (0..<count).map { _ in try TestNameServer() }
        var options = DNSOptions()
        options.servers = servers.map(\.address)
        options.families = .both
        // A search domain of the machine's would be asked for as well.
        options.resolverFile = "/dev/null"
        configure(&options, servers)
        resolver = DNSResolver(on: loop, options: options)
    }

    deinit {
        provider?.stop()
        resolver.stop()
        loop.stop()
        loop.run()
    }

    var server: TestNameServer { servers[0] }
    var news: [DiscoveryNews] { heard.news }
    var listed: [String] { feed?.endpoints.map { $0.url.description } ?? [] }
    var failure: String? { if case .failing(let line) = news.last { line } else { nil } }

    func start(_ question: DNSQuestion) {
        let heard = heard
        let feed = DiscoveryFeed(upstream: "orders", kind: .dns) { heard.news.append($0) }
        let provider = DNSProvider(question, feed: feed, resolver: resolver)
        (self.feed, self.provider) = (feed, provider)
        provider.start()
    }

    func stopProvider() { provider?.stop() }

    /// Turns without waiting, and moves the clock so far that what is due at once is done.
    func turn(_ count: Int = 1) {
        for _ in 0..<count {
            for server in servers { server.serve() }
            clock.advance(by: 1_000_000)
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

    /// Moves the clock on, and turns until the provider has been answered once more.
    func refresh(after duration: Duration, sourceLocation: SourceLocation = #_sourceLocation) {
        let before = updateCount
        clock.advance(by: duration.nanosecondsClamped)
        turn(until: "the provider asks again", sourceLocation: sourceLocation) { updateCount > before }
    }

    /// How often the provider has given something to its feed.
    var updateCount: UInt64 {
        DiscoveryOutcome.allCases.reduce(0) { $0 + (feed?.counts[$1] ?? 0) }
    }

    func addresses(_ name: String, port: UInt16 = 80) -> Result<DNSResolver.Addresses, DNSFailure>? {
        var answer: Result<DNSResolver.Addresses, DNSFailure>?
        resolver.addresses(of: name, port: port) { answer = $0 }
        #expect(answer == nil)
        turn(until: "an answer comes") { answer != nil }
        return answer
    }

    func services(_ name: String) -> Result<ServiceAnswer, DNSFailure>? {
        var answer: Result<ServiceAnswer, DNSFailure>?
        resolver.services(of: name) { answer = $0 }
        turn(until: "an answer comes") { answer != nil }
        return answer
    }
}
