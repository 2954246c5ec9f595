// SPDX-License-Identifier: Apache-2.0
// A field's value that is a number, where one that is too large is the largest. Pure.

extension UInt64 {
    /// The number that `1*DIGIT` says; nil for anything else, a sign too. What does not
    /// fit is `max`. Linear in the digits; does not allocate.
    package init?(digits: Span<UInt8>) {
        if digits.isEmpty { return nil }
        self = 0
        for index in digits.indices {
            guard ByteClass.contains(ByteClass.digit, digits[index]) else { return nil }
            let (product, isTooLarge) = multipliedReportingOverflow(by: 10)
            let (sum, overflows) = product.addingReportingOverflow(UInt64(digits[index] &- UInt8(ascii: "0")))
            self = isTooLarge || overflows ? .max : sum
        }
    }
}
