// SPDX-License-Identifier: Apache-2.0
// What came of a reload: what the log, `/reload` and the metrics say of it. Values.

/// What a reload did.
package enum ReloadOutcome: Sendable, Equatable {
    /// The snapshot of this version is in force.
    case applied(version: UInt64, ReloadChanges)
    /// The file says what is in force.
    case unchanged(version: UInt64)
    /// Nothing is another than before; why, in one line.
    case rejected(String)
}

/// What is another in a configuration than in the one before.
package struct ReloadChanges: Sendable, Equatable {
    /// Settings by variable, `upstreams.NAME`, `pools.NAME`, and `routes`.
    package var changed: [String] = []
    /// Settings whose new value waits for a restart.
    package var afterRestart: [String] = []

    package init() {}

    /// What `next` makes of what is in force.
    init(from present: LiveConfiguration.Present, to next: GatewayConfiguration) {
        let former = present.configuration
        let waiting = next.settings.waiting(behind: present.settings).map(\.name)
        afterRestart = waiting
        changed = next.settings.changed(behind: present.settings).map(\.name).filter { !waiting.contains($0) }
        changed += Self.names(former?.upstreams ?? [], next.upstreams, \.name).map { "upstreams.\($0)" }
        changed += Self.names(former?.pools ?? [], next.pools, \.name).map { "pools.\($0)" }
        if former?.routes != next.routes { changed.append("routes") }
    }

    /// The names of what is in one list only, or not the same in both.
    private static func names<Item: Equatable>(
        _ former: [Item],
        _ next: [Item],
        _ name: (Item) -> String
    ) -> [String] {
        let before = Dictionary(former.map { (name($0), $0) }) { first, _ in first }
        let after = Dictionary(next.map { (name($0), $0) }) { first, _ in first }
        return Set(before.keys).union(after.keys).filter { before[$0] != after[$0] }.sorted()
    }
}

extension ReloadOutcome {
    /// What `POST /reload` answers: 200 and what changed, or 422 and why not.
    package var response: Response {
        var json = JSONWriter()
        switch self {
        case .rejected(let reason):
            return .text("\(reason)\n", status: .unprocessableContent)
        case .unchanged(let version):
            json.append("{\"outcome\":\"unchanged\",\"version\":\(version)}\n")
        case .applied(let version, let changes):
            json.append("{\"outcome\":\"applied\",\"version\":\(version),\"changed\":")
            json.append(strings: changes.changed)
            json.append(",\"after_restart\":")
            json.append(strings: changes.afterRestart)
            json.append("}\n")
        }
        return .bytes(json.bytes, contentType: "application/json")
    }
}

extension JSONWriter {
    fileprivate mutating func append(strings: [String]) {
        append("[")
        for (index, string) in strings.enumerated() {
            if index > 0 { append(",") }
            append(string: string)
        }
        append("]")
    }
}
