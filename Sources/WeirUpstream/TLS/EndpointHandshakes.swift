// SPDX-License-Identifier: Apache-2.0
// What is known of an endpoint's handshakes: the sessions that it has given, and why one failed. Shared by all loops.

import Synchronization
package import WeirTLS

/// Of one endpoint that is spoken TLS with.
package final class EndpointHandshakes: Sendable {
    package let sessions = TLSSessionCache()
    /// The last that failed and was told nobody yet.
    private let failure = Mutex<HandshakeFailure?>(nil)
    /// Whether there is one, for those who look often. Relaxed: the failure is read under the mutex.
    private let isNew = Atomic<Bool>(false)

    init() {}

    package func note(_ failure: HandshakeFailure) {
        // A certificate that passes no more is not to be gone by for as long as sessions of it last.
        sessions.removeAll()
        self.failure.withLock { $0 = failure }
        isNew.store(true, ordering: .relaxed)
    }

    /// What has failed since the last call.
    package func takeFailure() -> HandshakeFailure? {
        guard isNew.exchange(false, ordering: .relaxed) else { return nil }
        return failure.withLock { $0.take() }
    }
}
