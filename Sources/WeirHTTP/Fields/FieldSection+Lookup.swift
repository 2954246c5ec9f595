// SPDX-License-Identifier: Apache-2.0
// Finding fields in a parsed head. Linear in the number of fields, which is faster than hashing for a few dozen.

extension FieldSection {
    /// Whether the head has a field with this name; no search. Not for `.other`.
    package func has(_ known: HeaderName) -> Bool {
        known != .other && seen.contains(known)
    }

    /// The first field with a known name.
    package func first(_ known: HeaderName) -> HeaderField? {
        index(of: known).map { field($0) }
    }

    /// Whether the sender means the field for this hop only, as it is named in Connection; then it is not passed on
    /// (``ForwardedRuns``). `bytes` is what was parsed.
    package func isForThisHop(_ field: HeaderField, in bytes: Span<UInt8>) -> Bool {
        !field.known.isOne && connection.namedCount > 0 && connection.names(field.name, in: bytes)
    }

    /// The place of the first field with a known name at or behind `first`. Not for `.other`.
    package func index(of known: HeaderName, from first: Int = 0) -> Int? {
        guard has(known) else { return nil }
        var index = first
        while index < count {
            if field(index).known == known { return index }
            index &+= 1
        }
        return nil
    }

    /// The first field with this name, ASCII letters in any case. `bytes` is what was parsed.
    package func first(named name: Span<UInt8>, in bytes: Span<UInt8>) -> HeaderField? {
        index(named: name, in: bytes).map { field($0) }
    }

    /// The place of the first field with this name at or behind `first`. `bytes` is what was parsed.
    package func index(named name: Span<UInt8>, in bytes: Span<UInt8>, from first: Int = 0) -> Int? {
        let nameRange = ByteRange(0, name.count)
        var index = first
        while index < count {
            if ByteScan.equalIgnoringCase(bytes, field(index).name, name, nameRange) { return index }
            index &+= 1
        }
        return nil
    }

    /// As above, for a name that is written in the code.
    package func first(named name: StaticString, in bytes: Span<UInt8>) -> HeaderField? {
        // A StaticString's bytes live as long as the process.
        let span = unsafe Span(_unsafeStart: name.utf8Start, count: name.utf8CodeUnitCount)
        return first(named: span, in: bytes)
    }
}
