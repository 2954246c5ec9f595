// SPDX-License-Identifier: Apache-2.0
// How fast a body has to come, and whose time counts.

import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct BodyPaceTests {
    @Test func `while the client is held back its window stands still`() {
        var pace = BodyPace()
        #expect(pace.begin(at: 1000, length: 100) == 1100)
        pace.take(3)
        pace.stop(at: 1090, before: 1100)
        #expect(pace.goOn(at: 5000) == 5010)
        pace.take(4)
        pace.stop(at: 5009, before: 5010)
        #expect(pace.goOn(at: 9000) == 9001)
        // What came before counts.
        #expect(pace.isEnough(7) && !pace.isEnough(8))
        // A window that is used up has no time left, and no less than none.
        pace.stop(at: 9002, before: 9001)
        #expect(pace.goOn(at: 10_000) == 10_000)
        #expect(pace.begin(at: 20_000, length: 100) == 20_100)
        #expect(!pace.isEnough(1))
    }

    @Test func `nothing at all is never enough`() {
        var pace = BodyPace()
        _ = pace.begin(at: 0, length: 1)
        #expect(!pace.isEnough(0))
        pace.take(1)
        #expect(pace.isEnough(0))
    }

    /// Each piece fills the smallest window, and the reader opens it again at once.
    @Test func `a client that sends too little is cut off, however small the window that it fills`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let app = makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)]
            $0.limits.bodyWindowBytes = Self.windowBytes
            $0.timeouts.body = .milliseconds(200)
            $0.timeouts.bodyRateMin = 1 << 30
        }
        app.post("/count") { request, _ async throws in
            var count = 0
            for try await piece in request.body { count += piece.count }
            return .text("\(count)")
        }
        let running = try await RunningApp(app, log: log)
        let client = try RawClient("unix:\(folder.path)/s")
        client.send("POST /count HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        let piece = [UInt8](repeating: 97, count: Self.windowBytes)
        for _ in 0..<1000 {
            client.send("\(String(piece.count, radix: 16))\r\n")
            client.send(piece)
            client.send("\r\n")
            try await Task.sleep(for: .milliseconds(1))
        }
        client.send("0\r\n\r\n")
        #expect(try await WireResponse.all(in: client.receive()).map(\.status) == [408])
        client.close()
        try await running.stop()
    }

    private static let windowBytes = 4096
}
