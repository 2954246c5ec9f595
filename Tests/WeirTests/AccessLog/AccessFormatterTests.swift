// SPDX-License-Identifier: Apache-2.0
// Records and the lines that they become.

import FoundationEssentials
import Testing
import Weir
import WeirEventLoop
import WeirHTTP

@Suite struct AccessFormatterTests {
    struct Case: Sendable, CustomTestStringConvertible {
        let testDescription: String
        let record: AccessRecord
        var id = ""
        let json: String
        let text: String

        init(_ name: String, _ json: String, _ text: String, id: String = "", _ change: (inout AccessRecord) -> Void) {
            testDescription = name
            var record = AccessRecord(
                method: .get,
                status: 200,
                client: .ipv4(0x0A00_0001, port: 4711),
                startedAt: 5_123_999_999,
                nanoseconds: 1_234_567
            )
            record.sequence = 0xABC
            change(&record)
            self.record = record
            self.id = id
            self.json = json
            self.text = text
        }

        static let all = [
            Case(
                "the least",
                #""method":"GET","route":"","status":200,"bytes_in":0,"bytes_out":0,"duration_ms":1.234,"#
                    + #""request_id":"0000000000000abc","client":"10.0.0.1""#,
                #"method=GET route="" status=200 bytes_in=0 bytes_out=0 duration_ms=1.234 "#
                    + "request_id=0000000000000abc client=10.0.0.1"
            ) { _ in },
            Case(
                "the most",
                #""method":"POST","route":"/users/:id","status":503,"reason":"no_endpoint","bytes_in":12,"#
                    + #""bytes_out":18446744073709551615,"duration_ms":18446744073709.551,"#
                    + #""request_id":"a=b,c'd","trace_id":"0123456789abcdef00000000000000ff","#
                    + #""span_id":"fedcba9876543210","client":"2001:db8::1","endpoint":"pod-1","tag":"canary""#,
                "method=POST route=/users/:id status=503 reason=no_endpoint bytes_in=12 "
                    + "bytes_out=18446744073709551615 duration_ms=18446744073709.551 "
                    + #"request_id="a=b,c'd" trace_id=0123456789abcdef00000000000000ff "#
                    + "span_id=fedcba9876543210 client=2001:db8::1 endpoint=pod-1 tag=canary",
                id: "a=b,c'd"
            ) { record in
                record.method = HTTPMethod.post.rawValue
                record.status = 503
                record.reason = .noEndpoint
                record.bytesIn = 12
                record.bytesOut = .max
                record.nanoseconds = .max
                record.traceHigh = 0x0123_4567_89AB_CDEF
                record.traceLow = 0xFF
                record.spanID = 0xFEDC_BA98_7654_3210
                record.route = 0
                record.endpoint = 0
                record.tag = 2
            }
            .with(client: .ipv6(0x2001_0DB8_0000_0000, 1, port: 1)),
            Case(
                "names that need care",
                #""method":"_OTHER","route":"/\"a\\b\" \u001b\n=é","status":0,"reason":"aborted","bytes_in":0,"#
                    + #""bytes_out":9,"duration_ms":0.000,"request_id":"x","client":"unix:","endpoint":"""#,
                #"method=_OTHER route="/\"a\\b\" \u{1b}\n=é" status=0 reason=aborted bytes_in=0 "#
                    + #"bytes_out=9 duration_ms=0.000 request_id=x client=unix: endpoint="""#,
                id: "x"
            ) { record in
                record.method = HTTPMethod.other.rawValue
                record.status = 0
                record.reason = .aborted
                record.bytesOut = 9
                record.nanoseconds = 999
                record.route = 1
                // No such endpoint.
                record.endpoint = 7
            }
            .with(client: .unix(path: "")),
        ]

        private func with(client: SocketAddress) -> Case {
            let record = record
            return Case(testDescription, json, text, id: id) { changed in
                var made = AccessRecord(
                    method: .get,
                    status: record.status,
                    client: client,
                    startedAt: record.startedAt,
                    nanoseconds: record.nanoseconds
                )
                made.method = record.method
                made.reason = record.reason
                made.bytesIn = record.bytesIn
                made.bytesOut = record.bytesOut
                made.sequence = record.sequence
                made.traceHigh = record.traceHigh
                made.traceLow = record.traceLow
                made.spanID = record.spanID
                made.route = record.route
                made.endpoint = record.endpoint
                made.tag = record.tag
                changed = made
            }
        }
    }

    /// What makes 2026-11-21T17:00:00Z of second 0 of the loop's clock.
    private static let wallOffset: UInt64 = 1_795_280_400_000_000_000

    private static func lines(_ records: [[UInt8]], _ format: Settings.LogFormat, names: [String] = []) -> [String] {
        let routes = IndexedNames(countMax: 10)
        for name in ["/users/:id", "/\"a\\b\" \u{1B}\n=é", "canary"] + names { _ = routes.index(of: name) }
        let endpoints = IndexedNames(countMax: 10)
        _ = endpoints.index(of: "pod-1")
        var formatter = AccessFormatter(format: format, routes: routes, endpoints: endpoints)
        var buffer = LineBuffer()
        for record in records {
            record.withUnsafeBytes { formatter.append($0, wallOffset: wallOffset, to: &buffer) }
        }
        let text = String(decoding: buffer.bytes, as: UTF8.self)
        #expect(text.last == "\n")
        return text.split(separator: "\n").map(String.init)
    }

    @Test(arguments: Case.all)
    func `a record becomes one JSON object with its keys in order`(fixture: Case) throws {
        let lines = Self.lines([fixture.record.bytes(id: fixture.id)], .json)
        let start = #"{"time":"2026-11-21T17:00:05.123Z","level":"info","kind":"access","#
        #expect(lines == ["\(start)\(fixture.json)}"])
        struct Line: Decodable { let kind, route: String }
        let line = try JSONDecoder().decode(Line.self, from: Data(lines[0].utf8))
        #expect(line.kind == "access")
    }

    @Test(arguments: Case.all)
    func `a record becomes one line of pairs`(fixture: Case) {
        let lines = Self.lines([fixture.record.bytes(id: fixture.id)], .text)
        #expect(lines == ["2026-11-21T17:00:05.123Z INFO access: \(fixture.text)"])
    }

    @Test func `the time changes with the second`() {
        let records = [999, 1000, 59_999, 60_000, 999].map { (milliseconds: UInt64) in
            var record = Case.all[0].record
            record.startedAt = milliseconds * 1_000_000
            return record.bytes(id: "")
        }
        #expect(
            Self.lines(records, .text).map { String($0.prefix(24)) } == [
                "2026-11-21T17:00:00.999Z", "2026-11-21T17:00:01.000Z", "2026-11-21T17:00:59.999Z",
                "2026-11-21T17:01:00.000Z", "2026-11-21T17:00:00.999Z",
            ]
        )
    }

    @Test func `every hexadecimal digit is right`() {
        let records = (0..<16 as Range<UInt64>).map { digit in
            var record = Case.all[0].record
            record.sequence = digit << 60 | digit << 28 | digit
            return record.bytes(id: "")
        }
        let expected = "0123456789abcdef".map { #""request_id":"\#($0)0000000\#($0)000000\#($0)""# }
        for (line, id) in zip(Self.lines(records, .json), expected) { #expect(line.contains(id)) }
    }

    @Test(arguments: [Settings.LogFormat.json, .text])
    func `the longest line fits into a batch many times`(format: Settings.LogFormat) {
        var record = Case.all[1].record
        record.route = 3
        let bytes = record.bytes(id: String(repeating: "i", count: AccessRecord.idBytesMax))
        let name = String(repeating: "\u{1}", count: 100_000)
        let line = Self.lines([bytes], format, names: [name])[0]
        #expect(line.utf8.count > 512)
        #expect(line.utf8.count < LineBuffer.lineBytesMax)
    }

    @Test(arguments: AccessReason.allCases)
    func `every reason but none has a name`(reason: AccessReason) {
        #expect(reason.name.utf8CodeUnitCount > 0 || reason == .none)
    }
}
