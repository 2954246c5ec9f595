// SPDX-License-Identifier: Apache-2.0
// Dates as HTTP writes them: IMF-fixdate (RFC 9110 section 5.6.7), by arithmetic, without a calendar or a locale.

/// `Sun, 06 Nov 1994 08:49:37 GMT`.
package enum HTTPDate {
    /// The length of every IMF-fixdate.
    package static let byteCount = 29

    /// 9999-12-31T23:59:59Z: the last second that has four digits for its year.
    private static let secondsMax: Int64 = 253_402_300_799

    /// The date of so many seconds since 1970-01-01T00:00:00Z. Clamped to the years 1970 to 9999.
    package static func write(unixSeconds: Int64, into text: inout InlineArray<29, UInt8>) {
        let seconds = Int(min(max(unixSeconds, 0), secondsMax))
        let days = seconds / 86_400
        let secondOfDay = seconds % 86_400
        let (year, month, day) = civil(daysSinceEpoch: days)

        // 1970-01-01 was a Thursday.
        put("ThuFriSatSunMonTueWed", 3 * (days % 7), count: 3, into: &text, at: 0)
        put(", ", 0, count: 2, into: &text, at: 3)
        putTwoDigits(day, into: &text, at: 5)
        put(" ", 0, count: 1, into: &text, at: 7)
        put("JanFebMarAprMayJunJulAugSepOctNovDec", 3 * (month - 1), count: 3, into: &text, at: 8)
        put(" ", 0, count: 1, into: &text, at: 11)
        putTwoDigits(year / 100, into: &text, at: 12)
        putTwoDigits(year % 100, into: &text, at: 14)
        put(" ", 0, count: 1, into: &text, at: 16)
        putTwoDigits(secondOfDay / 3600, into: &text, at: 17)
        put(":", 0, count: 1, into: &text, at: 19)
        putTwoDigits(secondOfDay / 60 % 60, into: &text, at: 20)
        put(":", 0, count: 1, into: &text, at: 22)
        putTwoDigits(secondOfDay % 60, into: &text, at: 23)
        put(" GMT", 0, count: 4, into: &text, at: 25)
    }

    /// As above, for those who have no array to write into.
    package static func text(unixSeconds: Int64) -> InlineArray<29, UInt8> {
        var text = InlineArray<29, UInt8>(repeating: 0)
        write(unixSeconds: unixSeconds, into: &text)
        return text
    }

    /// The Gregorian date, by Howard Hinnant's `civil_from_days`: years begin in March, so that the leap day is the
    /// last, and 400 of them have 146,097 days.
    private static func civil(daysSinceEpoch: Int) -> (year: Int, month: Int, day: Int) {
        let shifted = daysSinceEpoch + 719_468
        let era = shifted / 146_097
        let dayOfEra = shifted % 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let marchMonth = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * marchMonth + 2) / 5 + 1
        let month = marchMonth < 10 ? marchMonth + 3 : marchMonth - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        return (year, month, day)
    }

    private static func put(
        _ source: StaticString,
        _ first: Int,
        count: Int,
        into text: inout InlineArray<29, UInt8>,
        at offset: Int
    ) {
        precondition(first >= 0 && first + count <= source.utf8CodeUnitCount)
        for index in 0..<count {
            // Inside the literal by the precondition.
            text[offset + index] = unsafe source.utf8Start[first + index]
        }
    }

    private static func putTwoDigits(_ value: Int, into text: inout InlineArray<29, UInt8>, at offset: Int) {
        text[offset] = UInt8(ascii: "0") + UInt8(value / 10)
        text[offset + 1] = UInt8(ascii: "0") + UInt8(value % 10)
    }
}
