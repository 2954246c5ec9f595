// SPDX-License-Identifier: Apache-2.0
// The protocols that Upgrade names (RFC 9110 section 7.8). A plain value, made for upgrades alone: it allocates.

import WeirHTTP
import WeirUpstream

/// What one side's Upgrade fields list.
struct UpgradeProtocols {
    /// In lower case, as names are without it; most have no version.
    private(set) var names: Set<String> = []

    /// Adds what one field lists: `#( protocol-name [ "/" protocol-version ] )`.
    mutating func add(_ value: UnsafeRawBufferPointer) {
        for name in String(decoding: value, as: UTF8.self).lowercased().split(separator: ",") {
            let name = name.trimmingBlanks
            if !name.isEmpty { names.insert(String(name)) }
        }
    }

    /// Whether another version of HTTP is among them (`h2c`, `HTTP/2.0`): through it requests would pass that nobody here
    /// has looked at.
    var hasHTTP: Bool { names.contains { $0.contains("h2c") || $0.contains("http/") } }

    /// Whether it may be switched to `chosen`: nobody chooses what was not asked for.
    func allow(_ chosen: UpgradeProtocols) -> Bool { !chosen.names.isEmpty && chosen.names.isSubset(of: names) }
}

extension Exchange {
    /// What the client asks to switch to.
    var upgradeProtocols: UpgradeProtocols {
        var protocols = UpgradeProtocols()
        eachValue(of: .upgrade) { protocols.add($0) }
        return protocols
    }

    /// Whether an upgrade goes on to the endpoint.
    var asksForUpgrade: Bool { parser.pointee.head.hasUpgrade && !upgradeProtocols.hasHTTP }
}

extension UpstreamConnection {
    /// Calls `body` with the value of each Upgrade field of the response. The bytes are those of its head.
    func eachUpgrade(in bytes: UnsafeRawBufferPointer, _ body: (UnsafeRawBufferPointer) -> Void) {
        for index in 0..<parser.pointee.fields.count {
            let field = parser.pointee.fields.field(index)
            if field.known == .upgrade { body(UnsafeRawBufferPointer(rebasing: bytes[field.value.bounds])) }
        }
    }
}
