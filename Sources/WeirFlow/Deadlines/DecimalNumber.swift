// SPDX-License-Identifier: Apache-2.0
// A number without a sign at the start of a text, as an amount of time. Pure.

/// `12` or `12.5`. What is too large for 64 bits is the largest number, and decimals behind the ninth are not looked at.
struct DecimalNumber {
    /// Behind the last byte that was read.
    private(set) var end = 0
    private var whole: UInt64 = 0
    private var billionths: UInt64 = 0

    /// Reads digits, as many as there are.
    mutating func readWhole(_ text: Span<UInt8>) {
        while let digit = digit(text) {
            let (product, isTooLarge) = whole.multipliedReportingOverflow(by: 10)
            let (sum, overflows) = product.addingReportingOverflow(digit)
            whole = isTooLarge || overflows ? .max : sum
            end &+= 1
        }
    }

    /// Reads a point and the digits behind it, if a point follows; false where no digit is behind it.
    mutating func readDecimals(_ text: Span<UInt8>) -> Bool {
        guard end < text.count, text[end] == UInt8(ascii: ".") else { return true }
        end &+= 1
        let start = end
        var place: UInt64 = 100_000_000
        while let digit = digit(text) {
            billionths &+= digit &* place
            place /= 10
            end &+= 1
        }
        return end > start
    }

    /// So many of this unit, cut off to the nanosecond and to `DeadlineForm.timeMax`.
    func scaled(to unit: TimeUnit) -> Nanoseconds {
        let (product, isTooLarge) = whole.multipliedReportingOverflow(by: unit.nanoseconds)
        guard !isTooLarge, product < DeadlineForm.timeMax else { return DeadlineForm.timeMax }
        // Less than one unit, so the quotient fits.
        let part = UInt64(1_000_000_000).dividingFullWidth(billionths.multipliedFullWidth(by: unit.nanoseconds))
        return min(DeadlineForm.timeMax, product &+ part.quotient)
    }

    private func digit(_ text: Span<UInt8>) -> UInt64? {
        guard end < text.count else { return nil }
        let digit = text[end] &- UInt8(ascii: "0")
        return digit < 10 ? UInt64(digit) : nil
    }
}
