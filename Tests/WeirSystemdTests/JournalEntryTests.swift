// SPDX-License-Identifier: Apache-2.0

import Logging
import Testing
import Weir
import WeirSystemd

@Suite struct JournalEntryTests {
    private static func fields(
        level: Logger.Level = .info,
        message: String = "m",
        _ metadata: [(key: String, value: Logger.Metadata.Value)] = []
    ) -> [String] {
        let line = LogLine(
            time: LogTimestamp(milliseconds: 0),
            level: level,
            logger: "weir",
            message: message,
            fields: metadata
        )
        return JournalEntry(line).fields.map { String(decoding: $0, as: UTF8.self) }
    }

    @Test func `an event becomes the journal's fields`() {
        let fields = Self.fields(
            level: .warning,
            message: "drain timed out",
            [("connections", .stringConvertible(3)), ("listen", "127.0.0.1:8080")]
        )
        #expect(
            fields == [
                "MESSAGE=drain timed out", "PRIORITY=4", "SYSLOG_IDENTIFIER=weir", "WEIR_LOGGER=weir",
                "WEIR_CONNECTIONS=3", "WEIR_LISTEN=127.0.0.1:8080",
            ]
        )
    }

    @Test(arguments: [
        (Logger.Level.trace, 7), (.debug, 7), (.info, 6), (.notice, 5), (.warning, 4), (.error, 3), (.critical, 2),
    ])
    func `a level becomes a priority of syslog`(level: Logger.Level, priority: Int) {
        #expect(Self.fields(level: level).contains("PRIORITY=\(priority)"))
    }

    @Test(arguments: [
        ("listen", "WEIR_LISTEN"), ("peer.address", "WEIR_PEER_ADDRESS"), ("_secret", "WEIR__SECRET"),
        ("requestID", "WEIR_REQUESTID"), ("größe", "WEIR_GR__E"), ("a=b\nMESSAGE", "WEIR_A_B_MESSAGE"), ("", "WEIR_"),
        (String(repeating: "x", count: 100), "WEIR_" + String(repeating: "X", count: 59)),
    ])
    func `a metadata key becomes a name that the journal takes`(key: String, name: String) {
        #expect(JournalEntry.name(key) == name)
        #expect(name.utf8.count <= JournalEntry.nameBytesMax)
    }

    @Test func `lines in a value stay in the value`() {
        #expect(Self.fields(message: "a\nPRIORITY=0").first == "MESSAGE=a\nPRIORITY=0")
    }

    @Test func `metadata beyond the most fields is left out`() {
        let metadata = (0..<1000).map { (key: "k\($0)", value: Logger.Metadata.Value.string("v")) }
        #expect(Self.fields(metadata).count == JournalEntry.fieldsMax)
    }
}
