// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import WeirFlow

@Suite("Baseline") struct BaselineTests {
    private static let text = """
        {"format": 1, "version": "1.4.2", "memory_growth_bytes_per_second": 1200, "cpu_steal": 0.01,
         "routes": {"/orders/:id": {"latency_p50_seconds": 0.004, "latency_p95_seconds": 0.02, "queue_p95_seconds": 0}},
         "upstreams": {"orders": {"error_rate": 0.002}}}
        """

    private static func read(_ text: String) throws(BaselineError) -> Baseline {
        do {
            let baseline = try JSONDecoder().decode(Baseline.self, from: Data(text.utf8))
            try baseline.validate()
            return baseline
        } catch let error as DecodingError {
            throw BaselineError(error)
        } catch let error as BaselineError {
            throw error
        } catch {
            throw .form("the file", "\(error)")
        }
    }

    @Test("It is read from its form, and written so that it can be read again")
    func form() throws {
        let baseline = try Self.read(Self.text)
        var expected = Baseline(version: "1.4.2", memoryGrowth: 1200, cpuSteal: 0.01)
        expected.routes["/orders/:id"] = .init(latencyP50Seconds: 0.004, latencyP95Seconds: 0.02, queueP95Seconds: 0)
        expected.upstreams["orders"] = .init(errorRate: 0.002)
        #expect(baseline == expected)
        let written = String(decoding: try JSONEncoder().encode(baseline), as: UTF8.self)
        #expect(try Self.read(written) == expected)
    }

    @Test("What is optional may be missing, and a route that is not in it has nothing")
    func optional() throws {
        let baseline = try Self.read(#"{"format": 1, "version": "1", "routes": {}, "upstreams": {}}"#)
        #expect(baseline.guardValues(route: "/") == GuardValues())
        let whole = try Self.read(Self.text)
        #expect(whole.guardValues(route: "/") == GuardValues())
        let values = GuardValues(latencyP95: 20_000_000, queueP95: 0, memoryGrowth: 1200)
        #expect(whole.guardValues(route: "/orders/:id") == values)
    }

    /// What is replaced in the text, by what, and the message.
    static let wrongTexts: [(String, String, String)] = [
        (#""format": 1"#, #""format": 2"#, "format is 2; this version reads 1"),
        (#""format": 1, "#, "", "format is missing"),
        (#""format": 1"#, #""format": "one""#, "format is no whole number"),
        (#""1.4.2""#, #""""#, "version is empty; it names the version that the baseline is of"),
        (#""1.4.2""#, "7", "version is no text"),
        ("0.01", "1.5", "cpu_steal is 1.5; it is from 0.0 to 1.0"),
        (
            "1200", "1e15",
            "memory_growth_bytes_per_second is 1000000000000000.0; it is from -1000000000000.0 to 1000000000000.0"
        ),
        ("0.02", "-1", #"routes["/orders/:id"].latency_p95_seconds is -1.0; it is from 0.0 to 3600.0"#),
        (
            "0.004", "0.03",
            #"routes["/orders/:id"].latency_p50_seconds is 0.03, more than latency_p95_seconds, which is 0.02"#
        ),
        (#""latency_p50_seconds": 0.004,"#, "", #"routes["/orders/:id"].latency_p50_seconds is missing"#),
        ("0.004", #""fast""#, #"routes["/orders/:id"].latency_p50_seconds is no number"#),
        (#"{"error_rate": 0.002}"#, "3", #"upstreams["orders"] is no object"#),
        ("0.002", "2", #"upstreams["orders"].error_rate is 2.0; it is from 0.0 to 1.0"#),
        (#"{"orders""#, #"{"orders"#, "the file cannot be read: "),
    ]

    @Test("What is wrong with it is said in one line, which names the place", arguments: wrongTexts)
    func wrong(what: String, by: String, message: String) {
        let text = Self.text.replacing(what, with: by)
        #expect(text != Self.text)
        let error = #expect(throws: BaselineError.self) { try Self.read(text) }
        let line = error?.description ?? ""
        #expect(message.hasSuffix(": ") ? line.hasPrefix(message) : line == message)
        #expect(!line.contains("\n"))
    }

    @Test("A name of the file does not break the line")
    func quoted() throws {
        let text = Self.text
            .replacing("/orders/:id", with: #"/a\nb"#)
            .replacing("0.02,", with: "-1,")
        let error = #expect(throws: BaselineError.self) { try Self.read(text) }
        #expect(error?.description.hasPrefix(#"routes["/a\nb"].latency_p95_seconds"#) == true)
    }

    @Test("A file of more routes than the limit is not read")
    func limit() {
        var baseline = Baseline(version: "1")
        for number in 0...Baseline.entriesMax { baseline.upstreams["\(number)"] = .init(errorRate: 0) }
        let error = #expect(throws: BaselineError.self) { try baseline.validate() }
        #expect(error?.description == "upstreams has 4097 entries; at most 4096 are read")
    }

    static let verdicts: [(Double?, Double?, BaselineRow.Unit, BaselineRow.Verdict, Double?)] = [
        (0.1, 0.12, .seconds, .same, 1.2), (0.1, 0.13, .seconds, .worse, 1.3),
        (0.13, 0.1, .seconds, .better, 0.1 / 0.13),
        (0.12, 0.1, .seconds, .same, 0.1 / 0.12), (0.0001, 0.0009, .seconds, .same, 9), (0, 0.5, .seconds, .worse, nil),
        (nil, 1, .seconds, .added, nil), (1, nil, .seconds, .removed, nil), (0.001, 0.009, .share, .same, 9),
        (0.001, 0.02, .share, .worse, 20), (-5e6, -1e6, .bytesPerSecond, .same, nil),
        (-5e6, 1e6, .bytesPerSecond, .worse, nil), (1e6, -5e6, .bytesPerSecond, .better, -5),
    ]

    @Test("A value is better or worse by a quarter and by enough to matter", arguments: verdicts)
    func verdict(
        old: Double?,
        new: Double?,
        unit: BaselineRow.Unit,
        verdict: BaselineRow.Verdict,
        ratio: Double?
    ) {
        let row = BaselineRow(name: "value", unit: unit, old: old, new: new)
        #expect(row.verdict == verdict)
        if let ratio { #expect(abs((row.ratio ?? .nan) - ratio) < 1e-9) } else { #expect(row.ratio == nil) }
    }

    @Test("The rows are all values that one of the two has, in a fixed order")
    func rows() throws {
        let old = try Self.read(Self.text)
        var new = old
        new.cpuSteal = nil
        new.routes["/orders/:id"]?.latencyP95Seconds = 0.2
        new.routes["/a"] = .init(latencyP50Seconds: 0.001, latencyP95Seconds: 0.002, queueP95Seconds: 0)
        new.upstreams = [:]
        let rows = Baseline.compare(old: old, new: new)
        #expect(
            rows.map { "\($0.name): \($0.verdict)" } == [
                "memory growth: same", "CPU steal: removed",
                "route /a latency p50: added", "route /a latency p95: added", "route /a queue p95: added",
                "route /orders/:id latency p50: same", "route /orders/:id latency p95: worse",
                "route /orders/:id queue p95: same", "upstream orders error rate: removed",
            ]
        )
        #expect(Baseline.compare(old: old, new: old).allSatisfy { $0.verdict == .same })
    }
}
