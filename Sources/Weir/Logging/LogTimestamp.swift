// SPDX-License-Identifier: Apache-2.0
// The time of a log line, without Foundation: RFC 3339 in UTC to the millisecond. Pure but for `now`.

import Glibc

/// A moment, in milliseconds since 1970 in UTC.
package struct LogTimestamp: Sendable, CustomStringConvertible {
    package let milliseconds: Int64

    package init(milliseconds: Int64) {
        self.milliseconds = milliseconds
    }

    /// The moment on the wall clock.
    package static func now() -> LogTimestamp {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        return LogTimestamp(milliseconds: Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000)
    }

    /// `2026-11-21T17:00:00.123Z`, for years 0 to 9999.
    package var description: String {
        let days = Self.floor(milliseconds, 86_400_000)
        let (year, month, day) = Self.date(days)
        let time = milliseconds - days * 86_400_000
        let date = "\(Self.padded(year, 4))-\(Self.padded(month, 2))-\(Self.padded(day, 2))"
        let hour = Self.padded(time / 3_600_000, 2)
        let minute = Self.padded(time / 60000 % 60, 2)
        let second = Self.padded(time / 1000 % 60, 2)
        return "\(date)T\(hour):\(minute):\(second).\(Self.padded(time % 1000, 3))Z"
    }

    /// The date of a day counted from 1970-01-01, by Hinnant's "days to civil": years that begin on 1 March have their
    /// leap day at the end, so months follow one formula.
    private static func date(_ daysSince1970: Int64) -> (year: Int64, month: Int64, day: Int64) {
        let days = daysSince1970 + 719_468
        let era = floor(days, 146_097)
        let dayOfEra = days - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, day)
    }

    private static func floor(_ number: Int64, _ divisor: Int64) -> Int64 {
        number >= 0 ? number / divisor : (number + 1) / divisor - 1
    }

    private static func padded(_ number: Int64, _ width: Int) -> String {
        let digits = "\(number)"
        return String(repeating: "0", count: max(0, width - digits.count)) + digits
    }
}
