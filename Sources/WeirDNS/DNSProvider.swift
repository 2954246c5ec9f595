// SPDX-License-Identifier: Apache-2.0
// Discovery by DNS: a name is looked up again and again, as often as its answers allow. Confined to its loop's thread.

import WeirEventLoop
package import WeirUpstream

/// What is asked for.
package enum DNSQuestion: Sendable, Equatable {
    /// A and AAAA: every address of a name is an endpoint with this port and weight.
    case addresses(name: String, port: UInt16, weight: Int = EndpointURL.weightDefault)
    /// SRV: the records of the best priority that has addresses are endpoints with their ports and weights. Which
    /// endpoints of a priority answer is not the provider's to know, so the others are used only where it has none.
    case services(name: String)
}

package final class DNSProvider: DiscoveryProvider {
    private enum Phase: Equatable {
        case stopped
        /// Waits for the answers of this round; those of earlier ones are too late.
        case asking(round: Int)
        /// Until the timer fires.
        case waiting
    }

    private let question: DNSQuestion
    private let feed: DiscoveryFeed
    private let resolver: DNSResolver
    private let loop: EventLoop
    private var phase = Phase.stopped
    private var round = 0
    private var schedule = RefreshSchedule()
    /// The addresses of the targets of a service, as they were found last.
    private var known: [String: [SocketAddress]] = [:]
    private lazy var timer = LoopTimer { [unowned self] _ in ask() }

    /// - Parameter resolver: of the same loop; it outlives the provider.
    package init(_ question: DNSQuestion, feed: DiscoveryFeed, resolver: DNSResolver) {
        self.question = question
        self.feed = feed
        self.resolver = resolver
        loop = resolver.loop
    }

    package func start() {
        guard phase == .stopped else { return }
        ask()
    }

    package func stop() {
        phase = .stopped
        loop.cancel(timer)
    }

    private func ask() {
        round += 1
        let round = round
        phase = .asking(round: round)
        switch question {
        case .addresses(let name, let port, let weight):
            resolver.addresses(of: name, port: port) { [weak self] answer in
                guard let self, phase == .asking(round: round) else { return }
                take(answer, authority: EndpointURL(place: .name(name, port: port)).authority, weight: weight)
            }
        case .services(let name):
            resolver.services(of: name) { [weak self] answer in
                guard let self, phase == .asking(round: round) else { return }
                take(answer, round)
            }
        }
    }

    private func take(_ answer: Result<DNSResolver.Addresses, DNSFailure>, authority: String, weight: Int) {
        switch answer {
        case .success(let found):
            feed.found(
                found.list.map {
                    DiscoveredEndpoint(EndpointURL(place: .address($0), weight: weight), authority: authority)
                }
            )
            wait(schedule.wait(afterAnswer: found.timeToLive))
        case .failure(let failure): fail(failure)
        }
    }

    private func take(_ answer: Result<ServiceAnswer, DNSFailure>, _ round: Int) {
        switch answer {
        case .success(let answer):
            take(
                ServiceSelection.groups(answer.records)[...],
                TargetLookups.Outcome(timeToLive: answer.timeToLive),
                round
            )
        case .failure(let failure): fail(failure)
        }
    }

    /// Resolves the targets of the best priority, and of the next where these have no address.
    private func take(_ groups: ArraySlice<[ServiceAnswer.Record]>, _ before: TargetLookups.Outcome, _ round: Int) {
        guard let group = groups.first else {
            if let failure = before.failure { return fail(failure) }
            feed.found([])
            return retry()
        }
        let lookups = TargetLookups(Set(group.map(\.target)), known: known, by: resolver) { [weak self] outcome in
            guard let self, phase == .asking(round: round) else { return }
            var outcome = outcome
            outcome.timeToLive = min(outcome.timeToLive, before.timeToLive)
            outcome.failure = outcome.failure ?? before.failure
            let endpoints = ServiceSelection.endpoints(group, addresses: outcome.addresses)
            guard !endpoints.isEmpty else { return take(groups.dropFirst(), outcome, round) }
            known = outcome.addresses
            feed.found(endpoints, butFailed: outcome.failure?.description)
            if outcome.failure != nil { return retry() }
            wait(schedule.wait(afterAnswer: outcome.timeToLive))
        }
        lookups.start()
    }

    private func fail(_ failure: DNSFailure) {
        feed.failed(failure)
        retry()
    }

    private func retry() {
        var random = SystemRandomNumberGenerator()
        wait(schedule.waitAfterFailure(using: &random))
    }

    private func wait(_ time: Nanoseconds) {
        phase = .waiting
        loop.schedule(timer, at: loop.now &+ time)
    }
}
