// SPDX-License-Identifier: Apache-2.0
// Durations as Go writes and reads them, which is how Consul's clients send and expect them. Pure.

/// Go's text of a duration: `10s`, `1m0s`, `1h2m3.5s`, `250ms`.
package enum GoDuration {
    private static let units: [(name: String, nanoseconds: Int64)] = [
        ("ns", 1), ("us", 1000), ("µs", 1000), ("μs", 1000), ("ms", 1_000_000), ("s", 1_000_000_000),
        ("m", 60_000_000_000), ("h", 3_600_000_000_000),
    ]

    /// Reads it as `time.ParseDuration` does; nil for what that refuses, and for more than 292 years.
    package static func parse(_ text: String) -> Duration? {
        var rest = Substring(text)
        let isNegative = rest.first == "-"
        if rest.first == "-" || rest.first == "+" { rest.removeFirst() }
        if rest == "0" { return .zero }
        guard !rest.isEmpty else { return nil }
        var sum: Int64 = 0
        while !rest.isEmpty {
            let number = rest.prefix { $0 == "." || $0.isASCII && $0.isNumber }
            rest = rest[number.endIndex...]
            let name = rest.prefix { $0 != "." && !($0.isASCII && $0.isNumber) }
            rest = rest[name.endIndex...]
            guard let unit = units.first(where: { $0.name == name }), let part = nanoseconds(number, unit.nanoseconds)
            else { return nil }
            let (next, overflow) = sum.addingReportingOverflow(part)
            guard !overflow else { return nil }
            sum = next
        }
        return .nanoseconds(isNegative ? -sum : sum)
    }

    /// `digits [ "." digits ]` of a unit; at least one digit.
    private static func nanoseconds(_ number: Substring, _ unit: Int64) -> Int64? {
        let parts = number.split(separator: ".", maxSplits: 1, omittingEmptySubsequences: false)
        guard number.contains(where: { $0 != "." }), parts.count < 2 || !parts[1].contains(".") else { return nil }
        var sum: Int64 = 0
        if let whole = parts.first, !whole.isEmpty {
            guard let value = Int64(whole) else { return nil }
            let (product, overflow) = value.multipliedReportingOverflow(by: unit)
            guard !overflow else { return nil }
            sum = product
        }
        guard parts.count == 2 else { return sum }
        // Digits below a nanosecond are cut off.
        var scale = unit
        for digit in parts[1] {
            scale /= 10
            let (next, overflow) = sum.addingReportingOverflow(Int64(digit.wholeNumberValue ?? 0) * scale)
            guard !overflow else { return nil }
            sum = next
        }
        return sum
    }

    /// Writes it as `Duration.String` does.
    package static func text(_ duration: Duration) -> String {
        let (seconds, attoseconds) = duration.components
        let nanoseconds = seconds * 1_000_000_000 + attoseconds / 1_000_000_000
        let sign = nanoseconds < 0 ? "-" : ""
        let size = nanoseconds.magnitude
        switch size {
        case 0: return "0s"
        case ..<1000: return "\(sign)\(size)ns"
        case ..<1_000_000: return "\(sign)\(decimal(size, 1000))µs"
        case ..<1_000_000_000: return "\(sign)\(decimal(size, 1_000_000))ms"
        default: break
        }
        let minute: UInt64 = 60_000_000_000
        let rest = "\(decimal(size % minute, 1_000_000_000))s"
        let minutes = size / minute
        if minutes == 0 { return "\(sign)\(rest)" }
        if minutes < 60 { return "\(sign)\(minutes)m\(rest)" }
        return "\(sign)\(minutes / 60)h\(minutes % 60)m\(rest)"
    }

    /// Without zeros at the end.
    private static func decimal(_ value: UInt64, _ unit: UInt64) -> String {
        let (whole, fraction) = value.quotientAndRemainder(dividingBy: unit)
        guard fraction > 0 else { return "\(whole)" }
        // One digit more, which keeps the zeros in front.
        var digits = String(unit + fraction).dropFirst()
        while digits.last == "0" { digits.removeLast() }
        return "\(whole).\(digits)"
    }
}
