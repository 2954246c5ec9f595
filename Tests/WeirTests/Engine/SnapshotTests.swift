// SPDX-License-Identifier: Apache-2.0
// A change of routes while the engine runs: who may publish, and who sees it when.

import Synchronization
import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct SnapshotTests {
    /// An app that answers `/x/:<name>` with `text` and its parameter.
    private static func app(_ text: String, parameter: String = "id") -> App {
        let app = makeApp()
        app.get("/x/:\(parameter)", on: .loop) { request, _ in .text("\(text) \(try request.parameter(parameter))") }
        return app
    }

    private static func snapshot(_ version: UInt64) throws -> Snapshot {
        try app("\(version)").snapshot(version: version)
    }

    @Test func `a snapshot takes the place of the version that its publisher saw, and of no other`() throws {
        let first = try Self.snapshot(1)
        let second = try Self.snapshot(2)
        let cell = SnapshotCell(first)
        #expect(cell.publishedVersion == 1 && cell.snapshot === first)
        #expect(cell.publish(second, replacing: 1))
        #expect(cell.publishedVersion == 2 && cell.snapshot === second)
        #expect(!cell.publish(try Self.snapshot(3), replacing: 1))
        #expect(cell.publishedVersion == 2 && cell.snapshot === second)
        #expect(cell.publish(try Self.snapshot(3), replacing: 2))
        #expect(cell.publishedVersion == 3)
    }

    @Test func `of publishers that race for one version exactly one wins each time`() async throws {
        let rounds = 200
        let publisherCount = 4
        let cell = SnapshotCell(try Self.snapshot(1))
        for round in 0..<rounds {
            let expected = cell.publishedVersion
            let gate = Gate()
            // Threads and not tasks: the pool for those may have one.
            let wins = Mutex<[UInt64]>([])
            let done = Atomic<Int>(0)
            for publisher in 0..<publisherCount {
                let version = expected + 1 + UInt64(publisher)
                let snapshot = try Self.snapshot(version)
                _ = try SystemThread.start {
                    gate.pass()
                    if cell.publish(snapshot, replacing: expected) { wins.withLock { $0.append(version) } }
                    done.wrappingAdd(1, ordering: .releasing)
                }
            }
            gate.open()
            try #require(await eventuallyTrue { done.load(ordering: .acquiring) == publisherCount })
            let won = wins.withLock { $0 }
            #expect(won.count == 1, "round \(round)")
            #expect([cell.publishedVersion] == won && [cell.snapshot.version] == won, "round \(round)")
        }
    }

    @Test func `the next request meets the new routes, on a connection and a head that it had before`() async throws {
        try await Self.app("old").test { client async throws in
            #expect(try await client.get("/x/7").text == "old 7")
            #expect(try await client.get("/x/7").text == "old 7")
            let changed = Self.app("new", parameter: "other")
            changed.get("/y", on: .loop) { _, _ in .text("y") }
            #expect(client.publish(try changed.snapshot(version: 2), replacing: 1))
            #expect(!client.publish(try changed.snapshot(version: 3), replacing: 1))
            #expect(try await eventually(client, "/x/7", is: "new 7"))
            #expect(try await client.get("/y").text == "y")
            #expect(client.publish(try Self.app("third").snapshot(version: 3), replacing: 2))
            #expect(try await eventually(client, "/x/7", is: "third 7"))
            #expect(try await client.get("/y").status == 404)
        }
    }

    @Test(arguments: [HandlerKind.workers, .async, .asyncOnWorkers])
    func `a request in flight keeps the route that it met`(kind: HandlerKind) async throws {
        let app = makeApp()
        let begun = Notes()
        let gate = Gate()
        let isOpen = Atomic<Bool>(false)
        let answer: @Sendable (Request) throws -> Response = { request in
            .text("old \(try request.parameter("id")) \((try? request.parameter("other")) ?? "none")")
        }
        if kind == .workers {
            app.get("/x/:id", on: .workers) { request, _ in
                begun.add("begun")
                gate.pass()
                return try answer(request)
            }
        } else {
            app.get("/x/:id", on: kind.placement) { request, _ in
                begun.add("begun")
                _ = await eventuallyTrue { isOpen.load(ordering: .relaxed) }
                return try answer(request)
            }
        }
        try await app.test { client async throws in
            async let held = client.get("/x/7").text
            try #require(await eventuallyTrue { !begun.all.isEmpty })
            #expect(client.publish(try Self.app("new", parameter: "other").snapshot(version: 2), replacing: 1))
            #expect(try await eventually(client, "/x/8", is: "new 8"))
            isOpen.store(true, ordering: .relaxed)
            gate.open()
            #expect(try await held == "old 7 none")
            #expect(begun.all.count == 1)
        }
    }

    @Test func `each loop picks the new routes up`() async throws {
        let log = CapturedLog()
        let app = makeApp(log: log) { $0.loops = .exactly(3) }
        app.get("/", on: .loop) { _, _ in .text("old") }
        let changed = makeApp()
        changed.get("/", on: .loop) { _, _ in .text("new \(threadName())") }
        try await app.test { client async throws in
            #expect(client.publish(try changed.snapshot(version: 2), replacing: 1))
            for loop in 0..<3 {
                #expect(try await eventually(client, "/", on: loop, is: "new weir-loop-\(loop)"))
            }
        }
    }

    /// A loop may have begun a turn when the snapshot was published; only a request in a later one must see it.
    private func eventually(_ client: TestClient, _ target: String, on loop: Int = 0, is text: String) async throws
        -> Bool
    {
        for _ in 0..<2000 {
            let head = Array("GET \(target) HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n".utf8)
            let responses = try WireResponse.all(in: try await client.exchange(head, on: loop))
            if responses.map(\.text) == [text] { return true }
        }
        return false
    }
}
