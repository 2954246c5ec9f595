// SPDX-License-Identifier: Apache-2.0
// Discovery from a Consul server by blocking queries: a change is known as soon as the server knows it. Confined to its
// loop's thread.

package import WeirEventLoop
import WeirTLS

/// Asks for a service's instances again and again; the server answers when something has changed.
package final class ConsulProvider: DiscoveryProvider {
    /// From one query to the next, at least: on some servers the index moves with every change in the cluster, and on
    /// some it stands still.
    package static let intervalMin: Nanoseconds = 1_000_000_000
    package static let firstRetry: Nanoseconds = 1_000_000_000
    package static let longestRetry: Nanoseconds = 30_000_000_000
    /// The largest answer. It is read on the loop's thread: 1,000 instances of 877 bytes each took 13 ms of CPU.
    package static let bodyBytesMax = 4 << 20

    private enum Phase: Equatable {
        case stopped
        /// Waits for an address or an answer of this round; those of earlier ones are too late.
        case asking(round: Int)
        /// Until the timer fires.
        case waiting
    }

    private let query: ConsulQuery
    private let feed: DiscoveryFeed
    private let loop: EventLoop
    private let lookup: AddressLookup
    private let client: FetchClient
    private var phase = Phase.stopped
    private var round = 0
    private var askedAt: Nanoseconds = 0
    /// Where the server was asked last: a connection that is kept needs no other.
    private var address: SocketAddress?
    private var index = ConsulIndex()
    private var backoff = Backoff(from: firstRetry, to: longestRetry)
    private lazy var timer = LoopTimer { [unowned self] _ in ask() }

    /// - Parameters:
    ///   - tls: how a server whose URL is `https` is spoken to.
    ///   - lookup: finds the server, where it is given by name.
    package init(
        _ query: ConsulQuery,
        feed: DiscoveryFeed,
        on loop: EventLoop,
        tls: TLSClient? = nil,
        lookup: @escaping AddressLookup
    ) {
        self.query = query
        self.feed = feed
        self.loop = loop
        self.lookup = lookup
        let target = tls.flatMap { tls in query.server.host.map { TLSTarget(tls, to: $0, resuming: TLSSessionCache()) }
        }
        client = FetchClient(on: loop, field: "x-consul-index", bodyBytesMax: Self.bodyBytesMax, tls: target)
    }

    package func start() {
        guard phase == .stopped else { return }
        index.reset()
        ask()
    }

    package func stop() {
        phase = .stopped
        loop.cancel(timer)
        client.close()
    }

    private func ask() {
        round += 1
        let round = round
        phase = .asking(round: round)
        askedAt = loop.now
        switch query.server.place {
        case .address(let address): ask(address)
        case .name(let name, let port):
            if client.isConnected, let address { return ask(address) }
            lookup(name, port) { [weak self] addresses in
                guard let self, phase == .asking(round: round) else { return }
                guard !addresses.isEmpty else { return fail(.unresolved(server: server)) }
                ask(addresses[round % addresses.count])
            }
        }
    }

    private func ask(_ address: SocketAddress) {
        self.address = address
        let request = query.request(index: index.value)
        let round = round
        client.get(request, from: address, timeout: ConsulQuery.answerTimeout) { [weak self] answer in
            guard let self, phase == .asking(round: round) else { return }
            take(answer)
        }
    }

    private func take(_ answer: Result<FetchClient.Answer, FetchFault>) {
        switch answer {
        case .failure(let fault): fail(.unanswered(server: server, fault))
        case .success(let answer):
            guard answer.status == 200 else {
                let text = answer.body.shownInLine()
                return fail(.refused(server: server, status: answer.status, text: text))
            }
            guard let endpoints = ConsulAnswer.endpoints(answer.body) else { return fail(.malformed(server: server)) }
            index.note(answer.value)
            backoff.reset()
            feed.found(endpoints)
            wait(until: max(loop.now, askedAt &+ Self.intervalMin))
        }
    }

    /// A server that comes back may know less than before: it is asked for all that it knows.
    private func fail(_ problem: ConsulProblem) {
        index.reset()
        feed.failed(problem)
        var random = SystemRandomNumberGenerator()
        wait(until: loop.now &+ backoff.next(using: &random))
    }

    private func wait(until instant: Nanoseconds) {
        phase = .waiting
        loop.schedule(timer, at: instant)
    }

    private var server: String { query.server.description }
}
