// SPDX-License-Identifier: Apache-2.0
// The index of Consul's blocking queries: what the client knows already. A value.

/// Kept as Consul's documentation of blocking queries asks for: one that goes backwards (the server was restored or made
/// anew) begins again, and so does one that makes no sense, because a server that holds a query back until something newer
/// than a wrong index comes hides every change.
package struct ConsulIndex: Equatable, Sendable {
    /// 0 where the next query is to be answered at once.
    package private(set) var value: UInt64 = 0

    package init() {}

    /// Takes over what an answer says in `X-Consul-Index`.
    package mutating func note(_ text: String?) {
        let next = text.flatMap { UInt64($0) } ?? 0
        value = next < value ? 0 : next
    }

    package mutating func reset() {
        value = 0
    }
}
