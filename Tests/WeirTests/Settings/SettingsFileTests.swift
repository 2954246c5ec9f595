// SPDX-License-Identifier: Apache-2.0
// Settings in the configuration file: where they may stand, who overrides whom, and what is wrong where.

import Testing
import Weir

@Suite struct SettingsFileTests {
    private static func settings(_ yaml: String, _ environment: [String: String] = [:]) throws -> Settings {
        try Settings(environment: environment, document: ConfigurationDocument(yaml))
    }

    @Test(arguments: [
        "drain: {timeout: 20s}", "drain-timeout: 20s", "drain:\n  timeout: '20s'\n", #"{"drain": {"timeout": "20s"}}"#,
        "drain-timeout: 20s\ndrain:\n", "drain: {timeout: 20s, delay: ~}", "drain-timeout: 20s\ndrain: {timeout: ''}",
    ])
    func `a setting stands under the words of its variable`(yaml: String) throws {
        let settings = try Self.settings(yaml)
        #expect(settings.drainTimeout == .seconds(20))
        #expect(settings.drainDelay == Settings().drainDelay)
    }

    @Test func `every setting can be given in every spelling`() throws {
        for setting in Settings.table where setting.name != "WEIR_CONFIG" && !setting.defaultText.isEmpty {
            let words = setting.name.dropFirst(5).lowercased().split(separator: "_").map(String.init)
            // A bit for each place between two words: a hyphen, or a level.
            for joints in 0..<(1 << (words.count - 1)) {
                var yaml = words[0]
                for (index, word) in words.dropFirst().enumerated() {
                    yaml += joints >> index & 1 == 0 ? "-\(word)" : ": {\(word)"
                }
                yaml += ": '\(setting.defaultText)'" + String(repeating: "}", count: joints.nonzeroBitCount)
                let settings = try Self.settings(yaml)
                #expect(settings.source(of: setting) == .file("weir.yaml", line: 1), "\(yaml)")
                #expect(settings == Settings(), "\(yaml)")
            }
        }
    }

    @Test func `a setting whose words begin those of others stands beside them`() throws {
        let settings = try Self.settings(
            "workers: 16\nworkers-queue: 8\nupstream: {connections: 9}\nupstream-waiting: 7"
        )
        #expect(settings.workersMax == .exactly(16) && settings.workersQueueMax == 8)
        #expect(settings.upstream.connectionsMax == 9 && settings.upstream.waitingMax == 7)
    }

    @Test func `lists may be lists`() throws {
        let settings = try Self.settings(
            "listen: [':80', '127.0.0.1:81']\nrate-limit: [100/s, 1/s;by=client]\nupstream: [http://a, 'http://b;weight=2']\n"
                + "trusted-proxies: [loopback]\nadmin-listen: [off]"
        )
        #expect(settings.listen.count == 2)
        #expect(settings.rateLimiting.limits.count == 2)
        #expect(settings.upstream.endpoints == ["http://a", "http://b;weight=2"])
        #expect(settings.trustedProxies == ["loopback"] && settings.adminListen.isEmpty)
    }

    @Test func `a variable overrides the file, unless it is empty`() throws {
        let yaml = "deadline: 3s\nloops: 2"
        let settings = try Self.settings(yaml, ["WEIR_DEADLINE": "4s", "WEIR_LOOPS": " "])
        #expect(settings.deadline == .seconds(4) && settings.loops == .exactly(2))
        let sources = Settings.table.filter { ["WEIR_DEADLINE", "WEIR_LOOPS", "WEIR_PIN"].contains($0.name) }
            .map { settings.source(of: $0).text }
        #expect(sources == ["file weir.yaml:2", "default", "environment"])
    }

    @Test func `a wrong value in the file is overridden too`() throws {
        #expect(try Self.settings("deadline: soon", ["WEIR_DEADLINE": "4s"]).deadline == .seconds(4))
    }

    @Test func `a program that reads no file refuses its name, and a reader keeps it`() throws {
        let settings = try Settings(environment: ["WEIR_CONFIG": " /etc/weir.yaml "])
        #expect(settings.configurationFile == "/etc/weir.yaml")
        let error = #expect(throws: SettingsError.self) { try settings.refuseFile() }
        #expect(
            error?.description == #"WEIR_CONFIG="/etc/weir.yaml": this program reads no configuration file; "#
                + "set its settings as variables"
        )
        #expect(throws: Never.self) { try Settings().refuseFile() }
    }

    @Test(arguments: [
        ("deadlin: 1s", #"weir.yaml:1:1: deadlin: not a setting; did you mean deadline?"#),
        ("drain:\n  timout: 1s", #"weir.yaml:2:3: drain.timout: not a setting; did you mean drain-timeout?"#),
        ("dran: {timeout: 1s}", #"weir.yaml:1:1: dran: not a setting; did you mean drain?"#),
        ("drain_timeout: 1s", #"weir.yaml:1:1: drain_timeout: not a setting; did you mean drain-timeout?"#),
        ("route: []", #"weir.yaml:1:1: route: not a setting; did you mean routes?"#),
        ("flux: 1", #"weir.yaml:1:1: flux: not a setting; expected a name of docs/configuration.md"#),
        ("config: /b", #"weir.yaml:1:1: config: not a setting; expected a name of docs/configuration.md"#),
        ("\"a\\nb\": 1", #"weir.yaml:1:1: a\nb: not a setting; expected a name of docs/configuration.md"#),
        ("drain: 5s", #"weir.yaml:1:1: drain: not a setting by itself; drain-delay, drain-timeout are"#),
        (
            "drain: {timeout: 1s}\ndrain-timeout: 2s",
            #"weir.yaml:2:1: drain-timeout: drain-timeout is set already, by drain.timeout on line 1"#
        ),
        (
            "drain:\n  timeout: 2x",
            #"weir.yaml:2:12: drain.timeout: "2x": expected a duration such as 250ms, 15s or 5m, from 0 to 1h"#
        ),
        ("loops: [1]", #"weir.yaml:1:8: loops: expected auto or a whole number, from 1 to 256"#),
        ("loops: {min: 1}", #"weir.yaml:1:8: loops: expected auto or a whole number, from 1 to 256"#),
        (
            "listen: [[':80']]",
            "weir.yaml:1:9: listen: expected 1 to 16 addresses such as :8080, 127.0.0.1:8080, tls://:8443 "
                + "or unix:/run/weir.sock;mode=0660"
        ),
        (
            "upstream: http://me:secret@b",
            #"weir.yaml:1:11: upstream: "http://***@b": endpoint "http://***@b" has a user name; write http://host:port alone"#
        ),
        ("admin-token: short", #"weir.yaml:1:14: admin-token: "***": expected 16 to 512 visible ASCII characters"#),
        (
            "drain: {timeout: 4s}",
            #"weir.yaml:1:18: drain.timeout: "4s" with WEIR_DRAIN_DELAY="5s": expected a drain timeout not below the drain delay"#
        ),
        (
            "drain: {delay: 30s}",
            #"weir.yaml:1:16: drain.delay: "30s" with WEIR_DRAIN_TIMEOUT="25s": expected a drain timeout not below the drain delay"#
        ),
        ("- 1", "weir.yaml:1:1: expected a mapping, such as upstreams: and routes:"),
    ])
    func `a fault is one line with its place`(yaml: String, line: String) throws {
        let document = try ConfigurationDocument(yaml)
        let error = #expect(throws: SettingsError.self) { try Settings(environment: [:], document: document) }
        #expect(error?.description == line)
    }

    @Test func `a secret of the file is masked like any other`() throws {
        let token = "0123456789abcdef"
        let settings = try Self.settings("admin-token: \(token)")
        #expect(settings.adminToken == token)
        #expect(!String(decoding: ConfigurationPage.json(settings), as: UTF8.self).contains(token))
    }
}
