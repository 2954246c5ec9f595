// SPDX-License-Identifier: Apache-2.0
// Baselines as people and programs read them: what `weir baseline` prints, and the form of the file. Pure.

import FoundationEssentials
package import WeirFlow

package enum BaselineReport {
    // MARK: JSON

    /// One baseline, which is also what stands in its file.
    package static func json(of baseline: Baseline) -> String {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.prettyPrinted, .sortedKeys, .withoutEscapingSlashes]
        // Its numbers are finite, as medians of finite ones.
        guard let data = try? encoder.encode(baseline) else { preconditionFailure("a baseline that cannot be written") }
        return String(decoding: data, as: UTF8.self) + "\n"
    }

    /// The names of versions.
    package static func json(of versions: [String]) -> String {
        var json = JSONWriter()
        json.append("{\"versions\":[")
        for (index, version) in versions.enumerated() {
            if index > 0 { json.append(",") }
            json.append(string: version)
        }
        json.append("]}\n")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    /// Two baselines side by side.
    package static func json(comparing old: Baseline, to new: Baseline) -> String {
        var json = JSONWriter()
        json.append("{\"old\":")
        json.append(string: old.version)
        json.append(",\"new\":")
        json.append(string: new.version)
        json.append(",\"values\":[")
        for (index, row) in Baseline.compare(old: old, new: new).enumerated() {
            json.append(index == 0 ? "{\"name\":" : ",{\"name\":")
            json.append(string: row.name)
            json.append(",\"unit\":\"\(unit(row.unit))\",\"old\":\(number(row.old)),\"new\":\(number(row.new))")
            json.append(",\"ratio\":\(number(row.ratio)),\"verdict\":\"\(row.verdict.rawValue)\"}")
        }
        json.append("]}\n")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    private static func unit(_ unit: BaselineRow.Unit) -> String {
        switch unit {
        case .seconds: "seconds"
        case .bytesPerSecond: "bytes_per_second"
        case .share: "share"
        }
    }

    private static func number(_ value: Double?) -> String { value.map { "\($0)" } ?? "null" }

    // MARK: Text

    /// A line for each value of one baseline.
    package static func text(of baseline: Baseline) -> String {
        let rows = Baseline.compare(old: baseline, new: baseline)
        return table([["value", baseline.version]] + rows.map { [line($0.name), shown($0.old, $0.unit)] })
    }

    /// A line for each value of the two.
    package static func text(comparing old: Baseline, to new: Baseline) -> String {
        let rows = Baseline.compare(old: old, new: new)
        return table(
            [["value", old.version, new.version, "ratio", "verdict"]]
                + rows.map { row in
                    [
                        line(row.name), shown(row.old, row.unit), shown(row.new, row.unit),
                        row.ratio.map { decimals($0, 2) } ?? "-", row.verdict.rawValue,
                    ]
                }
        )
    }

    /// Names of routes and upstreams are the file's: none breaks the line.
    private static func line(_ name: String) -> String { String(name.map { $0.isNewline ? " " : $0 }) }

    private static func shown(_ value: Double?, _ unit: BaselineRow.Unit) -> String {
        guard let value else { return "-" }
        switch unit {
        case .seconds: return value < 1 ? "\(decimals(value * 1000, 2))ms" : "\(decimals(value, 2))s"
        case .bytesPerSecond: return "\(decimals(value / 1024, 1))KiB/s"
        case .share: return "\(decimals(value * 100, 2))%"
        }
    }

    private static func decimals(_ value: Double, _ count: Int) -> String {
        let scale = count == 1 ? 10.0 : 100
        return "\((value * scale).rounded() / scale)"
    }

    private static func table(_ rows: [[String]]) -> String {
        let widths = (0..<(rows.first?.count ?? 0)).map { column in rows.map(\.[column].count).max() ?? 0 }
        return rows.map { row in
            let cells = zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }
            return String(cells.joined(separator: "  ").reversed().drop { $0 == " " }.reversed()) + "\n"
        }.joined()
    }
}
