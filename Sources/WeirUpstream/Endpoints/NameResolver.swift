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

    private let endpoints: [Endpoint]
    private let isStopped = Atomic<Bool>(false)

    package init(_ upstreams: [Upstream]) {
        endpoints = upstreams.flatMap(\.endpoints).filter {
            if case .name = $0.url.place { true } else { false }
        }
    }

    /// Starts the thread, if there is a name.
    package func start() throws(SystemCallError) {
        guard !endpoints.isEmpty else { return }
        _ = try SystemThread.start { [self] in run() }
    }

    /// Ends the thread within a moment; a look-up that hangs is left to itself.
    package func stop() {
        // Relaxed: nothing else is published with it.
        isStopped.store(true, ordering: .relaxed)
    }

    private func run() {
        var round = 0
        while !isStopped.load(ordering: .relaxed) {
            let isKnown = endpoints.allSatisfy { !$0.knownAddresses.isEmpty }
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
