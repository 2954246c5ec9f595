// SPDX-License-Identifier: Apache-2.0
// A set of request methods, one bit each, in the numbering that the HTTP codec uses.

/// A set of request methods: bit `i` stands for the method with index `i`.
///
/// The indices are those of the HTTP codec: 0 GET, 1 HEAD, 2 POST, 3 PUT, 4 DELETE, 5 CONNECT, 6 OPTIONS, 7 TRACE,
/// 8 PATCH, 9 every other method. The table compares indices only; it never sees a method's name.
package struct MethodSet: OptionSet, Hashable, Sendable {
    package let rawValue: UInt16

    package init(rawValue: UInt16) {
        self.rawValue = rawValue
    }

    /// The set of the one method with this index. An index above 9 counts as ``other``.
    package init(methodIndex: UInt8) {
        self.init(rawValue: 1 << UInt16(min(methodIndex, 9)))
    }

    package static let get = MethodSet(rawValue: 1 << 0)
    package static let head = MethodSet(rawValue: 1 << 1)
    package static let post = MethodSet(rawValue: 1 << 2)
    package static let put = MethodSet(rawValue: 1 << 3)
    package static let delete = MethodSet(rawValue: 1 << 4)
    package static let connect = MethodSet(rawValue: 1 << 5)
    package static let options = MethodSet(rawValue: 1 << 6)
    package static let trace = MethodSet(rawValue: 1 << 7)
    package static let patch = MethodSet(rawValue: 1 << 8)
    package static let other = MethodSet(rawValue: 1 << 9)
    package static let all = MethodSet(rawValue: (1 << 10) - 1)

    /// The value of an `Allow` field (RFC 9110, 10.2.1), such as `GET, HEAD, OPTIONS`, in the order of the indices.
    ///
    /// ``other`` has no name and is left out. Allocates.
    package var allowHeader: String {
        var names: [String] = []
        for (index, name) in Self.names.enumerated() where rawValue & (1 << UInt16(index)) != 0 {
            names.append(name)
        }
        return names.joined(separator: ", ")
    }

    /// Each method of the set, alone.
    package var each: [MethodSet] { (0...9).map { MethodSet(methodIndex: $0) }.filter { isSuperset(of: $0) } }

    /// What an `Allow` field says of a resource with these methods: GET brings HEAD, and OPTIONS is always answered.
    /// The empty set, no resource at all, stays empty.
    package var withAutomaticMethods: MethodSet {
        if isEmpty { return self }
        return contains(.get) ? union([.head, .options]) : union(.options)
    }

    private static let names = ["GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"]
}
