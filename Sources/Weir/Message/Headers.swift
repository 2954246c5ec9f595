// SPDX-License-Identifier: Apache-2.0
// Header fields of a response, as a handler sets them.

/// Fields in the order in which they were added; names are compared without regard to case.
///
/// Values are checked when the response is written: one with CR, LF, NUL or another control byte fails the response
/// with 500 (response splitting). `Content-Length`, `Transfer-Encoding`, `Connection` and `Date` are the engine's: set
/// here, they are left out.
public struct Headers: Sendable, Sequence, ExpressibleByDictionaryLiteral {
    var fields: [(name: String, value: String)] = []

    public init() {}

    public init(dictionaryLiteral elements: (String, String)...) {
        for (name, value) in elements { fields.append((name, value)) }
    }

    public var isEmpty: Bool { fields.isEmpty }

    public var count: Int { fields.count }

    /// Adds a field behind those that are there, also of the same name.
    public mutating func add(_ name: String, _ value: String) {
        fields.append((name, value))
    }

    /// The first value; setting one replaces all, setting nil removes all.
    public subscript(name: String) -> String? {
        get { fields.first { Self.matches($0.name, name) }?.value }
        set {
            fields.removeAll { Self.matches($0.name, name) }
            if let newValue { fields.append((name, newValue)) }
        }
    }

    /// All values of `name`, in order.
    public func all(_ name: String) -> [String] {
        fields.filter { Self.matches($0.name, name) }.map(\.value)
    }

    /// The fields, in order.
    public func makeIterator() -> IndexingIterator<[(name: String, value: String)]> {
        fields.makeIterator()
    }

    /// Whether two names are the same field's (RFC 9110 section 5.1).
    static func matches(_ left: String, _ right: String) -> Bool {
        matches(left.utf8, right.utf8)
    }

    /// As above, for names whose bytes are at hand.
    static func matches(_ left: some Collection<UInt8>, _ right: String.UTF8View) -> Bool {
        left.count == right.count && zip(left, right).allSatisfy { lowercased($0) == lowercased($1) }
    }

    static func lowercased(_ byte: UInt8) -> UInt8 {
        byte &- UInt8(ascii: "A") < 26 ? byte | 0x20 : byte
    }
}
