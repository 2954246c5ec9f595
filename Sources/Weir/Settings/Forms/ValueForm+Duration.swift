// SPDX-License-Identifier: Apache-2.0
// Durations as they are written in settings: a whole number with a unit, to the millisecond. Pure.

extension ValueForm where Value == Duration {
    /// A duration such as `250ms`, `15s`, `5m` or `1h`; `0` needs no unit.
    package static func duration(_ range: ClosedRange<Duration>) -> Self {
        let bounds = "\(DurationText.format(range.lowerBound)) to \(DurationText.format(range.upperBound))"
        return Self(
            unit: "duration",
            range: bounds,
            expected: "a duration such as 250ms, 15s or 5m, from \(bounds)",
            parse: { text in DurationText.parse(text).flatMap { range.contains($0) ? $0 : nil } },
            format: DurationText.format,
            schema: .duration(orZero: range.contains(.zero))
        )
    }
}

extension ValueForm where Value == Duration? {
    /// A duration, or `off` (also `0`) for none.
    static func durationOrOff(_ range: ClosedRange<Duration>) -> Self {
        let duration = ValueForm<Duration>.duration(range)
        return Self(
            unit: "duration or `off`",
            range: duration.range,
            expected: "\(duration.expected), or off",
            parse: { text in
                if ["off", "0"].contains(text.lowercased()) { return .some(nil) }
                return duration.parse(text).map { .some($0) }
            },
            format: { $0.map(duration.format) ?? "off" },
            schema: .duration(orZero: true, or: "off")
        )
    }
}

/// Reads and writes one duration.
private enum DurationText {
    /// From the largest, so that `format` finds the shortest text.
    static let units: [(suffix: String, milliseconds: Int64)] = [
        ("h", 3_600_000), ("m", 60000), ("s", 1000), ("ms", 1),
    ]

    static func parse(_ text: String) -> Duration? {
        if text == "0" { return .zero }
        let digits = text.prefix { $0.isASCII && $0.isWholeNumber }
        guard let number = Int(decimal: digits),
            let unit = units.first(where: { $0.suffix == text[digits.endIndex...] })
        else { return nil }
        let (milliseconds, overflow) = Int64(number).multipliedReportingOverflow(by: unit.milliseconds)
        return overflow ? nil : .milliseconds(milliseconds)
    }

    /// The text that `parse` reads as this duration. One that is not whole in milliseconds has no such text: it is
    /// shown as Swift shows it, which `parse` refuses.
    static func format(_ duration: Duration) -> String {
        if duration == .zero { return "0" }
        let (seconds, attoseconds) = duration.components
        let (remainder, submilliseconds) = attoseconds.quotientAndRemainder(dividingBy: 1_000_000_000_000_000)
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1000)
        guard submilliseconds == 0, !overflow else { return duration.description }
        let milliseconds = whole + remainder
        for unit in units where milliseconds % unit.milliseconds == 0 {
            return "\(milliseconds / unit.milliseconds)\(unit.suffix)"
        }
        return "\(milliseconds)ms"
    }
}
