// SPDX-License-Identifier: Apache-2.0
// Settings from an environment: defaults, every form at its bounds, and what belongs together.

import Logging
import Testing
import Weir

@Suite struct SettingsTests {
    @Test func `an empty environment gives the defaults`() throws {
        #expect(try Settings(environment: [:]) == Settings())
        #expect(try Settings(environment: ["PATH": "/bin", "weir_deadline": "never"]) == Settings())
    }

    @Test func `the defaults fit their own ranges`() throws {
        try Settings().validate()
    }

    @Test func `a handshake has five seconds unless it is said otherwise`() throws {
        #expect(Settings().tls.handshakeTimeout == .seconds(5))
        #expect(try Settings(environment: ["WEIR_TLS_HANDSHAKE_TIMEOUT": "2s"]).tls.handshakeTimeout == .seconds(2))
    }

    @Test func `every default text reads back as the default`() throws {
        let environment = Dictionary(uniqueKeysWithValues: Settings.table.map { ($0.name, $0.defaultText) })
        #expect(try Settings(environment: environment) == Settings())
    }

    @Test func `an empty or blank variable counts as unset`() throws {
        #expect(try Settings(environment: ["WEIR_DEADLINE": "", "WEIR_LOOPS": " \n"]) == Settings())
    }

    @Test func `blanks around a value are ignored`() throws {
        #expect(try Settings(environment: ["WEIR_DEADLINE": " 2s\n"]).deadline == .seconds(2))
    }

    @Test(arguments: [
        ("0", Duration.zero), ("0s", .zero), ("250ms", .milliseconds(250)), ("15s", .seconds(15)),
        ("5m", .seconds(300)), ("007s", .seconds(7)),
    ])
    func `a duration is a whole number with a unit`(text: String, duration: Duration) throws {
        let settings = try Settings(environment: ["WEIR_DRAIN_DELAY": text, "WEIR_DRAIN_TIMEOUT": "1h"])
        #expect(settings.drainDelay == duration)
        #expect(settings.drainTimeout == .seconds(3600))
    }

    @Test(arguments: [("0", 0), ("512", 512), ("64KiB", 65536), ("10MiB", 10 << 20), ("1GiB", 1 << 30)])
    func `a size is bytes or a binary unit`(text: String, bytes: Int) throws {
        #expect(try Settings(environment: ["WEIR_BODY_BYTES": text]).limits.bodyBytes == bytes)
    }

    @Test(arguments: [
        ("true", true), ("on", true), ("yes", true), ("1", true), ("TRUE", true),
        ("false", false), ("off", false), ("no", false), ("0", false), ("Off", false),
    ])
    func `a flag has its usual synonyms`(text: String, value: Bool) throws {
        #expect(try Settings(environment: ["WEIR_PIN": text]).pinsLoops == value)
    }

    @Test func `a count is automatic or a number`() throws {
        #expect(try Settings(environment: ["WEIR_LOOPS": "Auto"]).loops == .automatic)
        #expect(try Settings(environment: ["WEIR_LOOPS": "3"]).loops == .exactly(3))
        #expect(Settings.Count.automatic.resolved(automatic: 7) == 7)
        #expect(Settings.Count.exactly(3).resolved(automatic: 7) == 3)
    }

    @Test(arguments: [
        ("64", Settings.Concurrency.exactly(64)), ("256/cpu", .perCPU(256)), ("2/CPU", .perCPU(2)),
        ("AUTO", .automatic),
    ])
    func `a concurrency is a number, so many for each CPU, or found`(text: String, value: Settings.Concurrency) throws {
        #expect(try Settings(environment: ["WEIR_CONCURRENCY": text]).admission.concurrency == value)
    }

    @Test func `rate limits and the priority's field are read in their one form`() throws {
        let settings = try Settings(environment: [
            "WEIR_RATE_LIMIT": " 1/60s;by=client , 5/h;by=header:X-Key ", "WEIR_PRIORITY_HEADER": "X-Priority",
            "WEIR_RATE_LIMIT_SCOPE": "Cluster", "WEIR_REPLICAS": "3", "WEIR_REDIS": "redis://10.0.0.9:6379",
        ])
        let texts = settings.rateLimiting.limits.map(\.description)
        #expect(texts == ["1/m;by=client;name=client", "5/h;by=header:x-key;name=header"])
        #expect(settings.admission.priorityHeader == "X-Priority")
        #expect(settings.rateLimiting.scope == .cluster && settings.rateLimiting.replicas == 3)
    }

    @Test(arguments: ["off", "OFF", "0"])
    func `the connection age can be switched off`(text: String) throws {
        #expect(try Settings(environment: ["WEIR_CONNECTION_AGE": text]).limits.connectionAge == nil)
    }

    @Test func `names are read in any case`() throws {
        let settings = try Settings(environment: ["WEIR_LOG_LEVEL": "WARNING", "WEIR_LOG_FORMAT": "Text"])
        #expect(settings.logLevel == .warning)
        #expect(settings.logFormat == .text)
    }

    @Test func `the admin listener can be switched off`() throws {
        #expect(try Settings(environment: ["WEIR_ADMIN_LISTEN": "off"]).adminListen.isEmpty)
    }

    @Test func `values set in code are checked by the same ranges`() {
        var settings = Settings()
        settings.deadline = .zero
        #expect(throws: SettingsError.self) { try settings.validate() }
        settings = Settings()
        settings.listen = []
        #expect(throws: SettingsError.self) { try settings.validate() }
        settings = Settings()
        settings.loopStall = .microseconds(1500)
        #expect(throws: SettingsError.self) { try settings.validate() }
        settings = Settings()
        settings.drainDelay = .seconds(26)
        #expect(throws: SettingsError.self) { try settings.validate() }
    }

    @Test func `the process's environment is read`() throws {
        // The test process has no WEIR_* variables of its own.
        #expect(try Settings.fromEnvironment() == Settings())
    }
}
