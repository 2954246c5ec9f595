// SPDX-License-Identifier: Apache-2.0
// Names to addresses by the system's resolver, which blocks: on a thread of its own, never on a loop's.

import Glibc
import Synchronization
package import WeirEventLoop

/// Resolves the names of endpoints again and again until it is stopped. With no name it does nothing.
package final class NameResolver: Sendable {
    /// How often a name that is known is looked up again, and one that is not.
    private static let refreshSeconds = 30
    private static let retrySeconds = 1

    private let state: Mutex<State>
    private let isStopped = Atomic<Bool>(false)

    private struct State {
        /// Those that are names.
        var endpoints: [Endpoint]
        /// Whether there are others since the last look.
        var isNew = false
        var isRunning = false
    }

    package init(_ upstreams: [Upstream]) {
        state = Mutex(State(endpoints: Self.named(upstreams)))
    }

    private static func named(_ upstreams: [Upstream]) -> [Endpoint] {
        upstreams.flatMap(\.endpoints).filter { if case .name = $0.url.place { true } else { false } }
    }

    /// Starts the thread, if there is a name and it does not run yet.
    package func start() throws(SystemCallError) {
        let isFirst = state.withLock { state in
            guard !state.isRunning, !state.endpoints.isEmpty else { return false }
            state.isRunning = true
            return true
        }
        if isFirst { _ = try SystemThread.start { [self] in run() } }
    }

    /// Other endpoints are there now; those that are new are looked up within a moment.
    package func replace(_ upstreams: [Upstream]) throws(SystemCallError) {
        let endpoints = Self.named(upstreams)
        state.withLock { state in
            guard !endpoints.elementsEqual(state.endpoints, by: ===) else { return }
            state.endpoints = endpoints
            state.isNew = true
        }
        try start()
    }

    /// Ends the thread within a moment; a look-up that hangs is left to itself.
    package func stop() {
        // Relaxed: nothing else is published with it.
        isStopped.store(true, ordering: .relaxed)
    }

    private func run() {
        var round = 0
        while !isStopped.load(ordering: .relaxed) {
            let (endpoints, isNew) = state.withLock { state in
                defer { state.isNew = false }
                return (state.endpoints, state.isNew)
            }
            let isKnown = endpoints.allSatisfy { !$0.knownAddresses.isEmpty }
            if isNew { round = 0 }
            if round.isMultiple(of: (isKnown ? Self.refreshSeconds : Self.retrySeconds) * 10) {
                for endpoint in endpoints { endpoint.resolved(to: Self.addresses(of: endpoint)) }
            }
            round += 1
            usleep(100_000)
        }
    }

    private static func addresses(of endpoint: Endpoint) -> [SocketAddress] {
        guard case .name(let name, let port) = endpoint.url.place else { return [] }
        return SocketAddress.resolve(name, port: port)
    }
}
