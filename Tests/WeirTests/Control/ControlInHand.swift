// SPDX-License-Identifier: Apache-2.0
// The control of upstreams on a loop that has no thread: the test turns it, moves its clock, and answers for names.

import Logging
import Testing
import Weir
import WeirEventLoop
import WeirMetrics
import WeirTestSupport
import WeirUpstream
import WeirYAML

final class ControlInHand {
    let clock = ManualClock()
    let loop: EventLoop
    let names = NamesInHand()
    let control: UpstreamControl

    init() throws {
        loop = try EventLoop(index: 0, name: "test", metrics: MetricsShard(), clock: .manual(clock))
        var options = ControlOptions()
        options.checks.firstDelay = { _ in .zero }
        let logger = Logger(label: "none") { _ in SwiftLogNoOpLogHandler() }
        control = UpstreamControl(on: loop, names: names, options, logger)
    }

    deinit {
        control.stop()
        loop.stop()
        loop.run()
    }

    /// Moves the clock by a second at a time, without waiting, until it is so.
    func turn(until what: Comment, sourceLocation: SourceLocation = #_sourceLocation, _ condition: () -> Bool) {
        eventually(what, sourceLocation: sourceLocation) {
            clock.advance(by: 100_000_000)
            loop.submit { _ in }
            loop.turn()
            return condition()
        }
    }
}

/// Names that the test answers for.
final class NamesInHand: NameSource {
    final class Watch: DiscoveryProvider {
        let name: String
        let feed: DiscoveryFeed
        private(set) var isRunning = false

        init(_ name: String, _ feed: DiscoveryFeed) {
            self.name = name
            self.feed = feed
        }

        func start() { isRunning = true }
        func stop() { isRunning = false }

        func found(_ urls: String...) throws {
            feed.found(try urls.map { DiscoveredEndpoint(try EndpointURL(parsing: $0)) })
        }
    }

    private(set) var watches: [Watch] = []
    private(set) var isStopped = false

    var running: [String] { watches.filter(\.isRunning).map(\.name) }

    var lookup: AddressLookup { { _, _, answer in answer([]) } }

    func addresses(of name: String, port: UInt16, for feed: DiscoveryFeed) -> any DiscoveryProvider {
        watches.append(Watch(name, feed))
        return watches[watches.count - 1]
    }

    func services(of name: String, for feed: DiscoveryFeed) -> (any DiscoveryProvider)? { nil }

    func stop() { isStopped = true }
}

extension HealthCheckConfiguration {
    /// The `check` of a file.
    init(yaml: String) throws {
        let text = "upstreams: {default: {endpoints: [http://a], check: \(yaml)}}"
        let document = ConfigurationDocument(file: "weir.yaml", root: try YAMLReader.read(Array(text.utf8)))
        let configuration = try GatewayConfiguration(environment: [:], document: document)
        self = try #require(configuration.upstreams.first?.check)
    }
}
