// SPDX-License-Identifier: Apache-2.0
// What `weir check` prints.

import Testing
import Weir
import WeirGateway

@Suite struct SettingsTableTests {
    private static func columns(_ environment: [String: String]) throws -> [[String]] {
        SettingsTable.text(try Settings(environment: environment)).split(separator: "\n").map { line in
            line.split(separator: " ").map(String.init)
        }
    }

    @Test func `every setting has a line with name, value and source`() throws {
        let lines = try Self.columns([:])
        #expect(lines.first == ["name", "value", "source"])
        #expect(lines.dropFirst().map(\.first) == Settings.table.map(\.name))
        #expect(lines.dropFirst().allSatisfy { $0.count == 3 && $0[2] == "default" })
        #expect(lines.contains(["WEIR_UPSTREAM", "-", "default"]))
        #expect(lines.contains(["WEIR_LISTEN", ":8080", "default"]))
    }

    @Test func `what is set is shown in its one form, and a secret not at all`() throws {
        let token = "0123456789abcdef"
        let lines = try Self.columns([
            "WEIR_UPSTREAM": " http://A.example:80 , unix:/run/a.sock;weight=2", "WEIR_ADMIN_TOKEN": token,
        ])
        let upstream = ["WEIR_UPSTREAM", "http://a.example,unix:/run/a.sock;weight=2", "environment"]
        #expect(lines.contains(upstream))
        #expect(lines.contains(["WEIR_ADMIN_TOKEN", "***", "environment"]))
        #expect(!lines.joined().contains { $0.contains(token) })
    }

    @Test func `columns are aligned, but for what is too long for them`() throws {
        let text = SettingsTable.text(
            try Settings(environment: ["WEIR_UPSTREAM": String(repeating: "http://a.example,", count: 1) + "http://b"])
        )
        let starts = Set(
            text.split(separator: "\n").map { line in
                line.utf8.count - (line.split(separator: " ").last?.utf8.count ?? 0)
            }
        )
        #expect(starts.count == 1)
    }
}
