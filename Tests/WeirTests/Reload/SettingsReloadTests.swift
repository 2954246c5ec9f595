// SPDX-License-Identifier: Apache-2.0
// Which settings a reload brings into force.

import FoundationEssentials
import Logging
import Testing
import Weir

@Suite struct SettingsReloadTests {
    @Test func `what waits for a restart stays as it was, with its source`() throws {
        let former = try Settings(environment: ["WEIR_LOOPS": "2"])
        let given = try Settings(environment: ["WEIR_DEADLINE": "2s", "WEIR_LOG_LEVEL": "error", "WEIR_LOOPS": "3"])
        let settings = given.inForce(behind: former)
        #expect(settings.deadline == .seconds(2))
        #expect(settings.logLevel == .error)
        #expect(settings.loops == .exactly(2))
        #expect(given.waiting(behind: former).map(\.name) == ["WEIR_LOOPS"])
        let loops = try #require(Settings.table.first { $0.name == "WEIR_LOOPS" })
        #expect(settings.source(of: loops) == .environment)
    }

    @Test func `each setting that waits keeps any value that it had`() throws {
        let given = Settings()
        var former = Settings()
        former.listen = [.tcp(host: "127.0.0.1", port: 81)]
        former.adminToken = "0123456789abcdef"
        former.timeouts.head = .seconds(3)
        former.drainTimeout = .seconds(26)
        former.limits.connectionAge = nil
        former.accessLog = .standardOutput
        #expect(given.inForce(behind: former) == former)
        #expect(given.waiting(behind: former).count == 6)
    }

    @Test(arguments: [("auto", "64", true), ("64", "auto", true), ("64", "32", false), ("2/cpu", "64", false)])
    func `a concurrency waits where it begins or ends to be found`(from: String, to: String, waits: Bool) throws {
        let former = try Settings(environment: ["WEIR_CONCURRENCY": from])
        let given = try Settings(environment: ["WEIR_CONCURRENCY": to])
        #expect(given.waiting(behind: former).map(\.name) == (waits ? ["WEIR_CONCURRENCY"] : []))
    }

    @Test func `the page names exactly the settings that a reload brings into force`() throws {
        let page = URL(filePath: #filePath).deletingLastPathComponent().appending(
            path: "../../../docs/configuration.md"
        )
        let text = try String(contentsOf: page, encoding: .utf8)
        #expect(
            text.contains(Settings.reloadDocumentation),
            "docs/configuration.md should say:\n\(Settings.reloadDocumentation)"
        )
    }

    @Test func `the admin page shows what waits beside what is in force`() {
        var given = Settings()
        given.loops = .exactly(3)
        let page = String(decoding: ConfigurationPage.json(Settings(), given: given, fault: "no \"x\""), as: UTF8.self)
        #expect(page.contains(#""name":"WEIR_LOOPS","value":"auto""#))
        #expect(page.contains(#""source":"default","after_restart":"3"}"#))
        #expect(page.contains(#""rejected":"no \"x\"""#))
        #expect(page.split(separator: "after_restart").count == 2)
    }
}
