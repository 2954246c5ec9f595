// SPDX-License-Identifier: Apache-2.0
// How TLS is spoken with the servers of an upstream, or of a control plane: one object for as long as its settings stay,
// whatever becomes of the files that they name. Shared by all loops.

import Synchronization
package import WeirTLS

/// The present context, which new connections begin with. A handshake costs so much that it can afford the mutex.
package final class TLSClient: Sendable, Equatable {
    package let settings: TLSClientSettings
    private let present: Mutex<TLSClientContext>

    package init(_ settings: TLSClientSettings, _ context: TLSClientContext) {
        self.settings = settings
        present = Mutex(context)
    }

    package var context: TLSClientContext { present.withLock { $0 } }

    /// The files are others. Connections that there are keep what they began with, and sessions of theirs are resumed no
    /// more: a certificate that was trusted may not be by now.
    package func replace(by context: TLSClientContext) {
        present.withLock { $0 = context }
    }

    package static func == (one: TLSClient, other: TLSClient) -> Bool { one === other }
}

/// A server that a connection is for.
package struct TLSTarget: Sendable, Equatable {
    package let client: TLSClient
    /// What its certificate must be for: a host name, or a numeric address.
    package let name: String
    /// Nil where each handshake is to be a full one.
    package let sessions: TLSSessionCache?
    /// Nil where nobody counts.
    package let counts: HandshakeCounts?

    package init(
        _ client: TLSClient,
        to host: String,
        resuming sessions: TLSSessionCache? = nil,
        counts: HandshakeCounts? = nil
    ) {
        self.client = client
        name = client.settings.serverName.isEmpty ? host : client.settings.serverName
        self.sessions = sessions
        self.counts = counts
    }

    package static func == (one: TLSTarget, other: TLSTarget) -> Bool {
        one.client == other.client && one.name == other.name
    }
}
