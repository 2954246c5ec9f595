// SPDX-License-Identifier: Apache-2.0
// What /config says, and where values come from.

import FoundationEssentials
import Testing
import Weir

@Suite struct ConfigurationJSONTests {
    private struct Page: Decodable {
        struct Row: Decodable {
            let name: String
            let value: String
            let `default`: String
            let source: String
        }

        let version: String
        let settings: [Row]
    }

    private static func page(_ settings: Settings) throws -> Page {
        try JSONDecoder().decode(Page.self, from: Data(ConfigurationPage.json(settings)))
    }

    private static func row(_ name: String, _ settings: Settings) throws -> Page.Row {
        try #require(try page(settings).settings.first { $0.name == name })
    }

    @Test func `the page has every setting in the order of the table`() throws {
        let page = try Self.page(Settings())
        #expect(page.version == WeirVersion.text)
        #expect(page.settings.map(\.name) == Settings.table.map(\.name))
        #expect(page.settings.map(\.value) == Settings.table.map(\.defaultText))
        #expect(page.settings.map(\.default) == Settings.table.map(\.defaultText))
        #expect(page.settings.allSatisfy { $0.source == "default" })
    }

    @Test func `a variable that was read is said to be the source, also where it says what the default is`() throws {
        let settings = try Settings(environment: ["WEIR_DEADLINE": " 2000ms ", "WEIR_LOOPS": "auto", "WEIR_PIN": ""])
        #expect(try Self.row("WEIR_DEADLINE", settings).value == "2s")
        #expect(try Self.row("WEIR_DEADLINE", settings).source == "environment")
        #expect(try Self.row("WEIR_LOOPS", settings).source == "environment")
        #expect(try Self.row("WEIR_PIN", settings).source == "default")
        #expect(try Self.row("WEIR_LISTEN", settings).source == "default")
    }

    @Test func `what the program changed is said to come from code`() throws {
        var settings = try Settings(environment: ["WEIR_DEADLINE": "2s"])
        settings.deadline = .seconds(3)
        settings.upstream.endpoints = ["http://127.0.0.1:3000"]
        #expect(try Self.row("WEIR_DEADLINE", settings).source == "code")
        #expect(try Self.row("WEIR_UPSTREAM", settings).source == "code")
        settings.deadline = .seconds(15)
        #expect(try Self.row("WEIR_DEADLINE", settings).source == "default")
    }

    @Test func `settings are equal wherever their values come from`() throws {
        var changed = Settings()
        changed.deadline = .seconds(2)
        #expect(try Settings(environment: ["WEIR_DEADLINE": "2s"]) == changed)
        #expect(try Settings(environment: ["WEIR_DEADLINE": "15s"]) == Settings())
    }

    @Test func `a secret is not shown`() throws {
        let secret = "0123456789abcdef"
        let settings = try Settings(environment: ["WEIR_ADMIN_TOKEN": secret])
        let row = try Self.row("WEIR_ADMIN_TOKEN", settings)
        #expect(row.value == "***")
        #expect(row.source == "environment")
        #expect(!String(decoding: ConfigurationPage.json(settings), as: UTF8.self).contains(secret))
        // Whether one is set may be seen.
        #expect(try Self.row("WEIR_ADMIN_TOKEN", Settings()).value == "")
    }

    @Test(arguments: [
        ["WEIR_ADMIN_TOKEN": "tooshort"], ["WEIR_ADMIN_TOKEN": "blank in the middle"], ["WEIR_ADMIN_TOKN": "tooshort"],
    ])
    func `a secret that is wrong, or under a mistyped name, is not shown either`(environment: [String: String]) throws {
        let error = try #require(throws: SettingsError.self) { try Settings(environment: environment) }
        #expect(error.description.contains("***"))
        #expect(environment.values.allSatisfy { !error.description.contains($0) })
        var settings = Settings()
        settings.adminToken = "tooshort"
        let late = try #require(throws: SettingsError.self) { try settings.validate() }
        #expect(!late.description.contains("tooshort"))
    }
}
