// SPDX-License-Identifier: Apache-2.0
// A document as a tree, each node with its place in the text: what a configuration file is read from. A plain value.

/// Where something stands in a text, both counted from 1; columns are characters.
package struct TextPosition: Sendable, Equatable {
    package let line: Int
    package let column: Int

    package init(line: Int, column: Int) {
        self.line = line
        self.column = column
    }
}

/// A text, a list, or a mapping.
package struct DocumentNode: Sendable, Equatable {
    package enum Content: Sendable, Equatable {
        /// `isPlain` says that it stands without quotes, so that `null` may mean nothing.
        case scalar(String, isPlain: Bool)
        case sequence([DocumentNode])
        /// In the order of the text; every key once.
        case mapping([DocumentEntry])
    }

    package let content: Content
    package let position: TextPosition

    package init(_ content: Content, at position: TextPosition) {
        self.content = content
        self.position = position
    }

    /// What stands where nothing is given: `key:`, `key: null` and `key: ~`.
    package var isNull: Bool {
        if case .scalar(let text, isPlain: true) = content {
            ["", "~", "null", "Null", "NULL"].contains(text)
        } else {
            false
        }
    }

    /// The value of this key; nil where there is none, or no mapping.
    package subscript(key: String) -> DocumentNode? {
        guard case .mapping(let entries) = content else { return nil }
        return entries.first { $0.key == key }?.value
    }

    /// The item at this index; nil where there is none, or no list.
    package subscript(index: Int) -> DocumentNode? {
        guard case .sequence(let items) = content, items.indices.contains(index) else { return nil }
        return items[index]
    }
}

/// A key of a mapping with its value.
package struct DocumentEntry: Sendable, Equatable {
    package let key: String
    package let keyPosition: TextPosition
    package let value: DocumentNode

    package init(key: String, keyPosition: TextPosition, value: DocumentNode) {
        self.key = key
        self.keyPosition = keyPosition
        self.value = value
    }
}
