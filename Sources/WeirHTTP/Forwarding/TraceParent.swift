// SPDX-License-Identifier: Apache-2.0
// The traceparent field (W3C Trace Context, level 1, section 3.2). Pure value; randomness is a parameter.

/// Where a request belongs in a trace: `00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01`.
package struct TraceParent: Equatable, Sendable {
    /// The length of version 00, which is the one that is written.
    package static let byteCount = 55

    /// The trace, the same for every request that follows from the first; never zero.
    package let traceIDUpper: UInt64
    package let traceIDLower: UInt64
    /// The caller's own step, its span; never zero.
    package let parentID: UInt64
    /// As received for version 00. Only ``isSampled`` has a meaning in level 1.
    package let flags: UInt8

    /// Bit 0: the caller may have recorded the trace ("Sampled flag").
    package static let sampledFlag: UInt8 = 0x01
    /// Bit 1, of level 2: the trace's id is random.
    package static let randomFlag: UInt8 = 0x02

    package var isSampled: Bool { flags & Self.sampledFlag != 0 }

    /// A new trace from random numbers. Zero means "invalid" in the format, so the number 1 stands for it.
    package init(randomTraceID: (upper: UInt64, lower: UInt64), randomParentID: UInt64, isSampled: Bool) {
        traceIDUpper = randomTraceID.upper
        traceIDLower = randomTraceID.upper | randomTraceID.lower == 0 ? 1 : randomTraceID.lower
        parentID = max(randomParentID, 1)
        flags = isSampled ? Self.sampledFlag : 0
    }

    /// Reads a field's value; nil if it is not valid, and the trace is then begun anew.
    ///
    /// Strict: lower-case hexadecimal only, no zero ids, and version 00 is exactly 55 bytes. Of a later version the
    /// same front part is read, with nothing behind it or something behind a `-`, and of the flags only the sampled one
    /// ("Versioning of traceparent"). Version ff is invalid. Does not allocate.
    package init?(_ value: Span<UInt8>) {
        guard value.count >= Self.byteCount,
            value[2] == Self.dash, value[35] == Self.dash, value[52] == Self.dash,
            let version = Self.number(value, 0, 2), version != 0xFF,
            value.count == Self.byteCount || version > 0 && value[Self.byteCount] == Self.dash,
            let upper = Self.number(value, 3, 16),
            let lower = Self.number(value, 19, 16), upper | lower != 0,
            let parentID = Self.number(value, 36, 16), parentID != 0,
            let flags = Self.number(value, 53, 2)
        else { return nil }
        traceIDUpper = upper
        traceIDLower = lower
        self.parentID = parentID
        self.flags = UInt8(truncatingIfNeeded: flags) & (version == 0 ? 0xFF : Self.sampledFlag)
    }

    private init(traceIDUpper: UInt64, traceIDLower: UInt64, parentID: UInt64, flags: UInt8) {
        self.traceIDUpper = traceIDUpper
        self.traceIDLower = traceIDLower
        self.parentID = parentID
        self.flags = flags
    }

    /// What goes on to the next hop: the same trace, this hop's own step as parent. The flags that have a meaning are
    /// kept, reserved ones are zeroed ("Other Flags").
    package func child(randomParentID: UInt64) -> TraceParent {
        TraceParent(
            traceIDUpper: traceIDUpper,
            traceIDLower: traceIDLower,
            parentID: max(randomParentID, 1),
            flags: flags & (Self.sampledFlag | Self.randomFlag)
        )
    }

    /// Writes the whole field, in version 00: `traceparent: 00-…` CRLF.
    package func write(into writer: inout HeadWriter) {
        writer.raw("traceparent: 00-")
        writer.fixedHexadecimal(traceIDUpper)
        writer.fixedHexadecimal(traceIDLower)
        writer.raw("-")
        writer.fixedHexadecimal(parentID)
        writer.raw("-")
        writer.fixedHexadecimal(flags)
        writer.raw("\r\n")
    }

    private static let dash = UInt8(ascii: "-")

    /// The number that `digits` lower-case hexadecimal digits at `start` say.
    private static func number(_ bytes: Span<UInt8>, _ start: Int, _ digits: Int) -> UInt64? {
        var value: UInt64 = 0
        var index = start
        while index < start &+ digits {
            let byte = bytes[index]
            let decimal = byte &- UInt8(ascii: "0")
            let letter = byte &- UInt8(ascii: "a")
            guard decimal < 10 || letter < 6 else { return nil }
            value = value << 4 | UInt64(decimal < 10 ? decimal : letter &+ 10)
            index &+= 1
        }
        return value
    }
}
