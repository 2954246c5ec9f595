// SPDX-License-Identifier: Apache-2.0
// HTTP Strict Transport Security (RFC 6797): what answers over TLS say, so that browsers come by https alone from then on.
// Immutable; any loop.

import WeirHTTP

/// The field of the setting, made once.
final class StrictTransport: Sendable {
    /// One alone counts (RFC 6797 section 8.1): that of a handler or an endpoint makes room.
    let edits: FieldEdits

    /// Nil for an empty value; others are of the setting's form.
    init?(_ value: String) {
        guard !value.isEmpty else { return nil }
        let name = "Strict-Transport-Security"
        edits = FieldEdits(removing: [name], adding: [(name, value)])
    }
}

extension HTTP1Connection {
    /// Calls `body` with the field that answers of this connection have; not at all where they have none.
    @inline(__always)
    func withStrictTransport(_ body: (borrowing FieldEdits) -> Void) {
        guard isTransportStrict, let strict = configuration.strictTransport else { return }
        body(strict.edits)
    }
}
