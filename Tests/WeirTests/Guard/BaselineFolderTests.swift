// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import Weir
import WeirFlow
import WeirTestSupport

@Suite struct BaselineFolderTests {
    private static func baseline(_ version: String, p95: Double = 0.02) -> Baseline {
        var baseline = Baseline(version: version, memoryGrowth: 1200)
        baseline.routes["* /x"] = Baseline.Route(latencyP50Seconds: 0.01, latencyP95Seconds: p95, queueP95Seconds: 0)
        return baseline
    }

    @Test func `what is written is read again, and nothing else is left in the folder`() throws {
        let scratch = try ScratchFolder()
        let folder = BaselineFolder(path: scratch.path)
        #expect(try folder.read("1.0") == nil)
        try folder.write(Self.baseline("1.0"))
        try folder.write(Self.baseline("1.0", p95: 0.03))
        try folder.write(Self.baseline("2.0+b_7-c"))
        #expect(try folder.read("1.0") == Self.baseline("1.0", p95: 0.03))
        #expect(try folder.versions() == ["1.0", "2.0+b_7-c"])
        #expect(try FileManager.default.contentsOfDirectory(atPath: scratch.path).count == 2)
    }

    @Test func `files that are no version's are not listed`() throws {
        let scratch = try ScratchFolder()
        for name in [".1.0.Xy12z3", ".json", "notes.txt", "a b.json", "1.json"] {
            _ = try scratch.write(name, [])
        }
        #expect(try BaselineFolder(path: scratch.path).versions() == ["1"])
    }

    @Test(arguments: [
        "", "nonsense", #"{"format": 1}"#, #"{"format": 2, "version": "1", "routes": {}, "upstreams": {}}"#,
    ])
    func `a file that is no baseline is a failure that names it`(text: String) throws {
        let scratch = try ScratchFolder()
        let file = try scratch.write("1.json", Array(text.utf8))
        let failure = #expect(throws: BaselineFolder.Failure.self) {
            try BaselineFolder(path: scratch.path).read("1")
        }
        #expect(failure?.path == file)
        #expect(failure?.description.contains("\n") == false)
    }

    @Test func `a file that is too large is not read`() throws {
        let scratch = try ScratchFolder()
        _ = try scratch.write("1.json", [UInt8](repeating: 0x20, count: (4 << 20) + 1))
        #expect(throws: BaselineFolder.Failure.self) { try BaselineFolder(path: scratch.path).read("1") }
    }

    @Test func `a folder that is not there is a failure, to read and to write`() throws {
        let folder = BaselineFolder(path: "/nonexistent/baselines")
        #expect(throws: BaselineFolder.Failure.self) { try folder.write(Self.baseline("1")) }
        #expect(throws: BaselineFolder.Failure.self) { try folder.versions() }
        #expect(throws: BaselineFolder.Failure.self) { try folder.known("1") }
    }

    @Test func `two versions are compared line by line`() {
        let text = BaselineReport.text(comparing: Self.baseline("1"), to: Self.baseline("2", p95: 0.05))
        #expect(
            text == """
                value                   1         2         ratio  verdict
                memory growth           1.2KiB/s  1.2KiB/s  1.0    same
                route * /x latency p50  10.0ms    10.0ms    1.0    same
                route * /x latency p95  20.0ms    50.0ms    2.5    worse
                route * /x queue p95    0.0ms     0.0ms     -      same

                """
        )
    }
}
