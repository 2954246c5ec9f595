// SPDX-License-Identifier: Apache-2.0
// What a query says besides its path: which index it has seen, for how long it waits, which instances it wants.

package import WeirUpstream

/// The parameters of a query; pure.
package struct ConsulQueryOptions: Sendable, Equatable {
    /// 0 for a query that does not wait.
    package var index: UInt64 = 0
    package var wait: Duration = .zero
    package var tags: [String] = []
    package var wantsPassing = false

    /// Parameters that would change the answer in a way that is not there. `near` sorts by distance: there is one node.
    private static let refused = [
        "filter", "node-meta", "ns", "partition", "peer", "sg", "merge-central-config", "hash",
    ]

    package init(_ query: Query) throws(ConsulError) {
        for name in Self.refused where query[name].map({ !$0.isEmpty }) ?? false {
            throw .badRequest("Query parameter \(name) is not supported")
        }
        if let name = query["dc"], !name.isEmpty, name != ConsulDocuments.datacenter {
            throw ConsulError(500, "No path to datacenter")
        }
        if let text = query["wait"], !text.isEmpty {
            guard let wait = GoDuration.parse(text) else { throw .badRequest("Invalid wait time") }
            self.wait = wait
        }
        if let text = query["index"], !text.isEmpty {
            guard let index = UInt64(text) else { throw .badRequest("Invalid index") }
            self.index = index
        }
        tags = query.all("tag")
        if let text = query["passing"] {
            guard let flag = text.isEmpty ? true : Self.bool(text) else {
                throw .badRequest("Invalid value for ?passing")
            }
            wantsPassing = flag
        }
    }

    /// As Go's `strconv.ParseBool`.
    package static func bool(_ text: String) -> Bool? {
        switch text {
        case "1", "t", "T", "true", "TRUE", "True": true
        case "0", "f", "F", "false", "FALSE", "False": false
        default: nil
        }
    }

    /// Whether an instance has all tags that are wanted, in any case of letters.
    package func matchesTags(_ service: HealthService) -> Bool {
        tags.allSatisfy { wanted in service.tags.contains { $0.lowercased() == wanted.lowercased() } }
    }
}
