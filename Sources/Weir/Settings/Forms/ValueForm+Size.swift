// SPDX-License-Identifier: Apache-2.0
// Sizes as they are written in settings: bytes, or a binary unit. Also the decimal digits that all forms share. Pure.

extension ValueForm where Value == Int {
    /// A number of bytes such as `512`, `64KiB`, `10MiB` or `1GiB`. `unit` names it where it is not a plain size.
    static func size(_ range: ClosedRange<Int>, unit: String = "size") -> Self {
        let bounds = "\(formatSize(range.lowerBound)) to \(formatSize(range.upperBound))"
        return Self(
            unit: unit,
            range: bounds,
            expected: "a size in bytes such as 512, 64KiB or 10MiB, from \(bounds)",
            parse: { text in parseSize(text).flatMap { range.contains($0) ? $0 : nil } },
            format: formatSize,
            schema: .integer(range, or: sizePattern)
        )
    }

    fileprivate static var sizePattern: String { "[0-9]+(KiB|MiB|GiB)" }

    private static var sizeUnits: [(suffix: String, shift: Int)] { [("GiB", 30), ("MiB", 20), ("KiB", 10), ("", 0)] }

    private static func parseSize(_ text: String) -> Int? {
        let digits = text.prefix { $0.isASCII && $0.isWholeNumber }
        guard let number = Int(decimal: digits),
            let unit = sizeUnits.first(where: { $0.suffix == text[digits.endIndex...] })
        else { return nil }
        let (bytes, overflow) = number.multipliedReportingOverflow(by: 1 << unit.shift)
        return overflow ? nil : bytes
    }

    private static func formatSize(_ bytes: Int) -> String {
        for unit in sizeUnits where bytes != 0 && bytes % (1 << unit.shift) == 0 {
            return "\(bytes >> unit.shift)\(unit.suffix)"
        }
        return "\(bytes)"
    }
}

extension ValueForm where Value == Settings.Count {
    /// `auto`, or a number of bytes.
    static func sizeOrAuto(_ range: ClosedRange<Int>) -> Self {
        let size = ValueForm<Int>.size(range)
        return Self(
            unit: "`auto` or size",
            range: size.range,
            expected: "auto, or \(size.expected)",
            parse: { text in text.lowercased() == "auto" ? .automatic : size.parse(text).map { .exactly($0) } },
            format: { count in
                switch count {
                case .automatic: "auto"
                case .exactly(let bytes): size.format(bytes)
                }
            },
            schema: .integer(range, or: "\(ScalarSchema.anyCase("auto"))|\(ValueForm<Int>.sizePattern)")
        )
    }
}

extension Int {
    /// The number that these ASCII digits say; nil for anything else. `Int.init` would also take a sign.
    init?(decimal digits: some StringProtocol) {
        guard digits.utf8.allSatisfy({ (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }) else { return nil }
        self.init(digits)
    }
}

extension StringProtocol {
    /// Without the spaces, tabs and line ends around it, which YAML block texts leave.
    package var trimmingBlanks: SubSequence {
        let isBlank: (Character) -> Bool = { $0.isWhitespace }
        let tail = self.drop(while: isBlank)
        guard let last = tail.lastIndex(where: { !isBlank($0) }) else { return tail }
        return tail[...last]
    }
}
