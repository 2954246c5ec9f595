// SPDX-License-Identifier: Apache-2.0
// What is changed of the fields of a head that is written: compiled once, then only read. Any thread.

/// Fields that are taken away from a head, and field lines that are added to it (``HeadWriter/edit(_:)``).
///
/// To the names that are taken away, `_` and `-` are the same: servers that hand fields on as variables (CGI, WSGI, PHP)
/// read `X_User` as `X-User`, and what is taken away must not come back under that name.
///
/// Plain memory of its own: an `Array` would have all loops count its references.
@safe
package struct FieldEdits: ~Copyable, @unchecked Sendable {
    /// The most bytes of a name that is taken away.
    package static let nameBytesMax = 255

    // Sound to share between threads: initialized before `init` returns, never written again, freed by the only owner.
    // First the lines, then the names as `fold` has them, each behind a byte that says how long it is.
    private let memory: UnsafeMutableBufferPointer<UInt8>
    /// How many bytes `HeadWriter.edit` adds at most: those of the lines.
    package let addedByteCount: Int
    /// A bit for each length of a name, modulo 64: most fields need no closer look.
    private let nameLengths: UInt64

    /// - Parameters:
    ///   - removed: names that are taken away, in any case. Those that frame a message are not the caller's to take.
    ///   - added: what is written behind that, as it stands. Traps on what is no field.
    package init(removing removed: [String] = [], adding added: [(name: String, value: String)] = []) {
        var bytes: [UInt8] = []
        for (name, value) in added {
            let isField = FieldSyntax.isToken(name.utf8.span) && FieldSyntax.isFieldValue(value.utf8.span)
            precondition(isField, "a field that is added is one")
            bytes += Array("\(name): \(value)\r\n".utf8)
        }
        addedByteCount = bytes.count
        var lengths: UInt64 = 0
        for name in Set(removed.map { $0.lowercased().replacing("_", with: "-") }).sorted() {
            let text = Array(name.utf8)
            let isName = FieldSyntax.isToken(text.span) && text.count <= Self.nameBytesMax
            precondition(isName, "a name that is removed is one")
            lengths |= Self.lengthBit(text.count)
            bytes.append(UInt8(text.count))
            bytes += text
        }
        nameLengths = lengths
        unsafe memory = .allocate(capacity: bytes.count)
        _ = unsafe memory.initialize(fromContentsOf: bytes)
    }

    deinit {
        unsafe memory.deallocate()  // plain values need no deinitialization
    }

    package var isEmpty: Bool { addedByteCount == 0 && nameLengths == 0 }

    /// Whether any field is taken away.
    var removes: Bool { nameLengths != 0 }

    /// The lines that are added, each with its CRLF.
    var added: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { bytes.extracting(0..<addedByteCount) }
    }

    /// Whether the field with the name at `name` is taken away.
    func removes(_ name: ByteRange, in head: Span<UInt8>) -> Bool {
        let count = Int(name.count)
        guard nameLengths & Self.lengthBit(count) != 0 else { return false }
        let bytes = self.bytes
        var index = addedByteCount
        while index < bytes.count {
            let start = index &+ 1
            index = start &+ Int(bytes[index])
            guard index &- start == count else { continue }
            var same = 0
            while same < count, Self.fold(head[Int(name.start) &+ same]) == bytes[start &+ same] { same &+= 1 }
            if same == count { return true }
        }
        return false
    }

    private static func fold(_ byte: UInt8) -> UInt8 {
        byte == UInt8(ascii: "_") ? UInt8(ascii: "-") : ByteScan.lowercase(byte)
    }

    private var bytes: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            // The memory lives and keeps its values as long as `self`, on which the span's lifetime is made to depend.
            unsafe _overrideLifetime(Span(_unsafeElements: UnsafeBufferPointer(memory)), borrowing: self)
        }
    }

    private static func lengthBit(_ count: Int) -> UInt64 { 1 &<< UInt64(count & 63) }
}
