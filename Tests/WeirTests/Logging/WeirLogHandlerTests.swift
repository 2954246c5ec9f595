// SPDX-License-Identifier: Apache-2.0
// Log lines in both formats, and that nobody can forge one.

import FoundationEssentials
import Logging
import Testing
import Weir

@Suite struct WeirLogHandlerTests {
    private static let time = LogTimestamp(milliseconds: 1_795_280_400_123)

    /// The lines that `body` logs.
    private func lines(_ format: Settings.LogFormat, _ count: Int = 1, _ body: (inout Logger) -> Void) -> [String] {
        let pipe = TestPipe()
        let writer = LogWriter(descriptor: pipe.writeEnd)
        var logger = Logger(label: "weir") { label in
            WeirLogHandler(label: label, level: .info, format: format, writer: writer, now: { Self.time })
        }
        body(&logger)
        writer.close(timeout: .seconds(10))
        return pipe.readLines(count)
    }

    @Test func `a JSON line has time, level, logger, message and metadata`() {
        let lines = lines(.json) { logger in
            logger[metadataKey: "pod"] = "a"
            logger.notice(
                "hello",
                metadata: [
                    "route": "/x", "list": ["1", ["k": "v"]], "count": .stringConvertible(3), "time": "mine",
                ]
            )
        }
        #expect(
            lines == [
                #"{"time":"2026-11-21T17:00:00.123Z","level":"notice","logger":"weir","message":"hello","#
                    + #""count":"3","list":["1",{"k":"v"}],"pod":"a","route":"/x","time_":"mine"}"#
            ]
        )
    }

    @Test func `a text line has the same for people`() {
        let lines = lines(.text) { logger in
            logger.info("hello there", metadata: ["route": "/x", "name": "two words", "none": "", "é": "ü"])
        }
        #expect(lines == [#"2026-11-21T17:00:00.123Z INFO weir: hello there name="two words" none="" route=/x é=ü"#])
    }

    static let nasty = [
        "line\nbreak", "quote\"", "back\\slash", "tab\t", "nul\0", "escape\u{1B}[31m", "del\u{7F}", "c1\u{85}",
        "separator\u{2028}", "right\u{202E}left", "emoji 👩‍🚀", "é", "",
        String(decoding: [0x66, 0xFF, 0xC0, 0x80, 0xED, 0xA0, 0x80], as: UTF8.self),
    ]

    @Test(arguments: nasty)
    func `JSON gives back what was logged`(text: String) throws {
        let lines = lines(.json) { $0.info("\(text)", metadata: ["\(text)key": "\(text)"]) }
        #expect(lines.count == 1)
        let object = try JSONDecoder().decode([String: String].self, from: Data(try #require(lines.first).utf8))
        #expect(object["message"] == text)
        #expect(object[text + "key"] == text)
    }

    @Test(arguments: nasty)
    func `text stays one line without controls`(text: String) throws {
        let lines = lines(.text) { $0.info("\(text)", metadata: ["\(text)key": "\(text)"]) }
        #expect(lines.count == 1)
        let line = try #require(lines.first)
        #expect(!line.unicodeScalars.contains { $0.properties.generalCategory == .control })
        #expect(!line.unicodeScalars.contains { $0 == "\u{2028}" || $0 == "\u{202E}" })
    }

    @Test func `lower levels are not logged`() {
        let lines = lines(.text) { logger in
            logger.debug("no")
            logger.warning("yes")
        }
        #expect(lines.count == 1)
        #expect(lines.first?.hasSuffix("WARNING weir: yes") == true)
    }

    @Test func `an event's metadata overrides the provider's and that the logger's`() {
        let pipe = TestPipe()
        let writer = LogWriter(descriptor: pipe.writeEnd)
        var handler = WeirLogHandler(label: "w", level: .info, format: .text, writer: writer, now: { Self.time })
        handler.metadata = ["a": "logger", "b": "logger", "c": "logger"]
        handler.metadataProvider = Logger.MetadataProvider { ["b": "provider", "c": "provider"] }
        let logger = Logger(label: "w") { _ in handler }
        logger.info("m", metadata: ["c": "event"])
        #expect(pipe.readLines(1).first?.hasSuffix("a=logger b=provider c=event") == true)
        writer.close(timeout: .seconds(1))
    }
}

@Suite struct LogTimestampTests {
    @Test(arguments: [
        (Int64(0), "1970-01-01T00:00:00.000Z"),
        (-1, "1969-12-31T23:59:59.999Z"),
        (951_782_400_000, "2000-02-29T00:00:00.000Z"),
        (951_868_799_999, "2000-02-29T23:59:59.999Z"),
        (1_709_164_800_001, "2024-02-29T00:00:00.001Z"),
        (1_795_280_400_123, "2026-11-21T17:00:00.123Z"),
        (4_107_542_400_000, "2100-03-01T00:00:00.000Z"),
        (253_402_300_799_999, "9999-12-31T23:59:59.999Z"),
    ])
    func `is written as RFC 3339 in UTC`(milliseconds: Int64, text: String) {
        #expect(LogTimestamp(milliseconds: milliseconds).description == text)
    }

    @Test func `agrees with Foundation on every 37th hour of four centuries`() {
        let format = Date.ISO8601FormatStyle(includingFractionalSeconds: true)
        for hour in stride(from: Int64(-600_000), to: 3_000_000, by: 37) {
            let date = Date(timeIntervalSince1970: Double(hour * 3600))
            let text = LogTimestamp(milliseconds: hour * 3_600_000).description
            if text != date.formatted(format) {
                Issue.record("\(text) is \(date.formatted(format))")
                return
            }
        }
    }
}
