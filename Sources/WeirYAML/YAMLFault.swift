// SPDX-License-Identifier: Apache-2.0
// Why a text is no document for Weir: where, what, and what would be right.

package import WeirDocument

/// The first fault of a YAML text.
package struct YAMLFault: Error, Equatable, Sendable, CustomStringConvertible {
    package enum Reason: Equatable, Sendable {
        case tooLarge
        case tooDeep
        case tooManyNodes
        case notUTF8
        case tab
        /// In libyaml's words.
        case syntax(String)
        case keyNotText
        case repeatedKey(String, line: Int)
        case mergeKey
        case tag(String)
        case unknownAnchor(String)
        case secondDocument
        case outOfMemory
    }

    package let reason: Reason
    package let position: TextPosition

    init(_ reason: Reason, at position: TextPosition) {
        self.reason = reason
        self.position = position
    }

    /// The reason without the place.
    package var description: String {
        switch reason {
        case .tooLarge: "the file is larger than \(YAMLReader.bytesMax >> 20) MiB"
        case .tooDeep: "nested deeper than \(YAMLReader.depthMax) levels"
        case .tooManyNodes: "more than \(YAMLReader.nodesMax) values, those that aliases repeat among them"
        case .notUTF8: "not UTF-8 text without control characters"
        case .tab: "a tab cannot stand here; indent with spaces"
        case .syntax(let problem): problem
        case .keyNotText: "a key must be a text"
        case .repeatedKey(let key, let line): "\"\(key)\" stands in this mapping already, on line \(line)"
        case .mergeKey: "merge keys (<<) are not supported; write the fields out"
        case .tag(let tag): "tags such as \(tag) are not supported; leave it out"
        case .unknownAnchor(let name): "no anchor &\(name) stands before this alias"
        case .secondDocument: "a second document begins here; a file holds one"
        case .outOfMemory: "out of memory"
        }
    }
}
