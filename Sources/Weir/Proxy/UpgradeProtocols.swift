// SPDX-License-Identifier: Apache-2.0
// The protocols that Upgrade names (RFC 9110 section 7.8). A plain value, made for upgrades alone: it allocates.

import WeirHTTP
import WeirUpstream

/// What one side's Upgrade fields list: `#( protocol-name [ "/" protocol-version ] )`.
struct UpgradeProtocols {
    /// In lower case.
    private var names: Set<[UInt8]> = []

    /// Another version of HTTP, or HTTP under another cover: through it requests would pass that nobody here has looked at.
    private static let ofHTTP = Set(["http", "h2", "h2c", "h3", "tls"].map { Array($0.utf8) })

    /// Adds what one field lists.
    mutating func add(_ value: UnsafeRawBufferPointer) {
        for name in value.split(whereSeparator: { ", \t".utf8.contains($0) }) {
            names.insert(name.map { Headers.lowercased($0) })
        }
    }

    /// Whether the client may ask for these.
    var mayBeAskedFor: Bool {
        names.allSatisfy { name in
            let parts = name.split(separator: UInt8(ascii: "/"), maxSplits: 1, omittingEmptySubsequences: false)
            return parts.allSatisfy { FieldSyntax.isToken(Array($0).span) } && !Self.ofHTTP.contains(Array(parts[0]))
        }
    }

    /// Whether it may be switched to `chosen`: nobody chooses what was not asked for.
    func allow(_ chosen: UpgradeProtocols) -> Bool {
        mayBeAskedFor && !chosen.names.isEmpty && chosen.names.isSubset(of: names)
    }
}

extension Exchange {
    /// What the client asks to switch to.
    var upgradeProtocols: UpgradeProtocols {
        var protocols = UpgradeProtocols()
        eachValue(of: .upgrade) { protocols.add($0) }
        return protocols
    }

    /// Whether an upgrade goes on to the endpoint.
    var asksForUpgrade: Bool { parser.pointee.head.hasUpgrade && upgradeProtocols.mayBeAskedFor }
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
