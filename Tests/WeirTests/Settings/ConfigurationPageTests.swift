// SPDX-License-Identifier: Apache-2.0
// docs/configuration.md lists exactly what the settings table says.

import FoundationEssentials
import Testing
import Weir

@Suite struct ConfigurationPageTests {
    @Test func `the page has exactly the rows of the table`() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../docs/configuration.md"
        )
        let text = try String(contentsOf: page, encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `WEIR_") }.map(String.init)
        let expected = Settings.table.map(\.documentationRow)
        #expect(rows == expected, "docs/configuration.md should have these rows:\n\(expected.joined(separator: "\n"))")
    }

    @Test func `names are unique and begin with WEIR_`() {
        let names = Settings.table.map(\.name)
        #expect(Set(names).count == names.count)
        #expect(names.allSatisfy { $0.hasPrefix("WEIR_") })
    }
}
