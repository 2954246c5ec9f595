// SPDX-License-Identifier: Apache-2.0
// The configuration file as a tree, and how a fault in it is said: file, line, column, field. A plain value.

package import WeirDocument

/// The tree of a configuration file, with the name by which faults call it.
package struct ConfigurationDocument: Sendable, Equatable {
    /// As `WEIR_CONFIG` says it.
    package let file: String
    package let root: DocumentNode

    /// - Parameter root: nil where there is no file, which sets nothing.
    package init(file: String, root: DocumentNode?) {
        self.file = file
        self.root = root ?? DocumentNode(.mapping([]), at: TextPosition(line: 1, column: 1))
    }

    /// A fault in the value at `path`, or, where that is missing, in what it would be part of.
    func fault(_ path: FieldPath, _ reason: String) -> SettingsError {
        var node = root
        for step in path.steps {
            if let next = step.value(in: node) {
                node = next
            } else if case .key = step {
                break
            }
            // Otherwise one item stands for a list of one: the index means the item itself.
        }
        return fault(path, at: node.position, reason)
    }

    /// A fault at a place of the file.
    func fault(_ path: FieldPath, at position: TextPosition, _ reason: String) -> SettingsError {
        FilePlace(file: file, path: path, position: position).fault(reason)
    }
}

/// A place in the configuration file; does not hold the file's tree.
struct FilePlace: Sendable {
    let file: String
    let path: FieldPath
    let position: TextPosition

    func fault(_ reason: String) -> SettingsError {
        .inFile(
            file: file,
            line: position.line,
            column: position.column,
            field: path.description,
            reason: reason
        )
    }
}

/// The way to a value from the root: `routes[2].deadline`, counted from 0.
struct FieldPath: Sendable, Equatable, CustomStringConvertible {
    enum Step: Sendable, Equatable {
        case key(String)
        case index(Int)

        func value(in node: DocumentNode) -> DocumentNode? {
            switch self {
            case .key(let key): node[key]
            case .index(let index): node[index]
            }
        }
    }

    private(set) var steps: [Step] = []

    static let root = FieldPath()

    func key(_ key: String) -> FieldPath { adding(.key(key)) }
    func index(_ index: Int) -> FieldPath { adding(.index(index)) }

    var description: String {
        var text = ""
        for step in steps {
            switch step {
            case .key(let key):
                let key = SettingsError.oneLine(key)
                text += text.isEmpty ? key : ".\(key)"
            case .index(let index): text += "[\(index)]"
            }
        }
        return text
    }

    private func adding(_ step: Step) -> FieldPath {
        var path = self
        path.steps.append(step)
        return path
    }
}
