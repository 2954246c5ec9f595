// SPDX-License-Identifier: Apache-2.0
// What `weir check` prints. Pure.

package import Weir

/// The settings as a table for people and for `grep`.
package enum SettingsTable {
    /// A line for each setting in the order of docs/configuration.md: name, value, source. A value that is empty is a
    /// dash.
    package static func text(_ settings: Settings) -> String {
        let rows =
            [["name", "value", "source"]]
            + Settings.table.map { setting in
                let value = setting.shownText(settings)
                return [setting.name, value.isEmpty ? "-" : value, settings.source(of: setting).text]
            }
        let widths = (0..<2).map { column in
            rows.map(\.[column].count).filter { $0 <= widthMax }.max() ?? 0
        }
        return rows.map { row in
            zip(row, widths).map { padded($0, to: $1) }.joined(separator: "  ") + "  \(row[2])\n"
        }.joined()
    }

    /// Values that are longer do not push the other sources out of sight.
    private static let widthMax = 40

    private static func padded(_ text: String, to width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }
}
