// SPDX-License-Identifier: Apache-2.0
// What is left of a deadline, as the value of a header field. Pure; a plain value, without allocation.

/// The value of a field that says how much time is left: rounded down, but never to 0 while anything is left, because
/// Envoy reads 0 as no limit at all.
package struct DeadlineText: Sendable {
    /// As many as a 64-bit number has digits.
    package static let byteCountMax = 20

    private var bytes = InlineArray<20, UInt8>(repeating: 0)
    /// The text ends with the last byte.
    private var start = Self.byteCountMax

    /// `left` in this form: `grpc-timeout` in the finest unit whose number has at most eight digits, the others in
    /// milliseconds without a unit, which everybody reads.
    package init(_ left: Nanoseconds, as form: DeadlineForm) {
        switch form {
        case .grpc:
            var unit = TimeUnit.nanosecond
            while left / unit.nanoseconds > Self.grpcNumberMax, let coarser = unit.coarser { unit = coarser }
            start &-= 1
            bytes[start] = unit.grpcLetter
            put(left / unit.nanoseconds)
        case .milliseconds, .duration:
            put(left > 0 ? max(1, left / TimeUnit.millisecond.nanoseconds) : 0)
        }
    }

    package var count: Int { Self.byteCountMax &- start }

    package var span: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get { bytes.span.extracting(start..<Self.byteCountMax) }
    }

    /// Eight digits. 64 bits of nanoseconds are fewer hours.
    private static let grpcNumberMax: UInt64 = 99_999_999

    private mutating func put(_ number: UInt64) {
        var rest = number
        repeat {
            start &-= 1
            bytes[start] = UInt8(ascii: "0") &+ UInt8(truncatingIfNeeded: rest % 10)
            rest /= 10
        } while rest != 0
    }
}
