// SPDX-License-Identifier: Apache-2.0
// A pod whose CPUs change under a running engine, which follows with all that comes from them.

import Logging
import Synchronization
import Testing
import Weir
import WeirEventLoop
import WeirFlow
import WeirHost
import WeirMetrics
import WeirTestSupport

/// The CPUs of a pod that a test resizes.
final class CPUsInHand: Sendable {
    private let present: Atomic<Int>
    private let isUnreadNow = Atomic(false)
    private let readings = Atomic(0)
    private let most: Int

    init(_ count: Int, most: Int = 4) {
        present = Atomic(count)
        self.most = most
    }

    var count: Int {
        get { present.load(ordering: .relaxed) }
        set { present.store(newValue, ordering: .relaxed) }
    }

    /// Whether reading fails, as without descriptors: what is read then is the node's.
    var isUnread: Bool {
        get { isUnreadNow.load(ordering: .relaxed) }
        set { isUnreadNow.store(newValue, ordering: .relaxed) }
    }

    /// How often it was read.
    var readingCount: Int { readings.load(ordering: .relaxed) }

    var cpus: PodCPUs {
        PodCPUs(most: most) {
            self.readings.wrappingAdd(1, ordering: .relaxed)
            return self.isUnread
                ? PodCPUs.Reading(threads: self.most, cpus: Double(self.most), decidedBy: "affinity", unread: "cpu.max")
                : PodCPUs.Reading(threads: self.count, cpus: Double(self.count) - 0.5, decidedBy: "cpu.max")
        }
    }
}

@Suite(.timeLimit(.minutes(2))) struct ResizeTests {
    private static let change = "the pod's CPU budget has changed"
    private static let ask = "GET /thread HTTP/1.1\r\nHost: h\r\n\r\n"

    private static func names(_ count: Int) -> Set<String> { Set((0..<count).map { "weir-loop-\($0)" }) }

    private static func makeListening(_ log: CapturedLog, _ change: (inout Settings) -> Void = { _ in }) -> App {
        let app = makeApp(log: log) {
            $0.loops = .automatic
            $0.listen = [.tcp(host: "127.0.0.1", port: 0)]
            $0.adminListen = [.tcp(host: "127.0.0.1", port: 0)]
            change(&$0)
        }
        app.get("/thread", on: .loop) { _, _ in .text(threadName()) }
        return app
    }

    /// The threads that answer so many new connections, all open at once.
    private static func answering(_ count: Int, at address: String) async throws -> Set<String> {
        var clients: [RawClient] = []
        var names: Set<String> = []
        for _ in 0..<count {
            let client = try RawClient(address)
            client.send(ask)
            names.insert(try #require(try await WireResponse.all(in: client.receive()).first).text)
            clients.append(client)
        }
        return names
    }

    private static func metrics(_ running: RunningApp) async throws -> [String: Double] {
        let admin = try RawClient(try #require(running.log.entry("serving")?.metadata["admin"]))
        admin.send("GET /metrics HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
        let page = try #require(try await WireResponse.all(in: admin.receiveToEnd()).first)
        var metrics: [String: Double] = [:]
        for line in page.text.split(separator: "\n") where !line.hasPrefix("#") {
            guard let blank = line.lastIndex(of: " ") else { continue }
            metrics[String(line[..<blank])] = Double(line[line.index(after: blank)...])
        }
        return metrics
    }

    @Test func `loops follow the pod's CPUs up, down and up again, and no request fails`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(1)
        let running = try await RunningApp(Self.makeListening(log), log: log, cpus: pod.cpus)
        let address = try #require(running.addresses.first)
        let clients = try BusyClients(6, at: address, asking: "/thread")
        var before = try await Self.metrics(running)
        for (changes, count) in [3, 1, 2].enumerated() {
            pod.count = count
            #expect(await eventuallyTrue { log.entries.count { $0.message == Self.change } == changes + 1 })
            let said = try #require(log.entries.last { $0.message == Self.change }).metadata
            #expect(said["threads"] == "\(count)" && said["loops"] == "\(count)")
            #expect(try await Self.answering(24, at: address) == Self.names(count))
            // Kept connections move: each is told by an answer that it ends.
            #expect(await eventuallyTrue { Self.names(count).isSuperset(of: clients.present.latest.values) })
            let answers = clients.present.answers
            #expect(await eventuallyTrue { clients.present.answers > answers + 100 })
            let after = try await Self.metrics(running)
            #expect(after["weir_loops"] == Double(count))
            #expect(after["weir_concurrency_limit{pool=\"pod\"}"] == Double(256 * count))
            for (name, value) in before where name.contains("_total") || name.contains("_seconds_") {
                #expect(after[name, default: -1] >= value, "\(name) steps back")
            }
            before = after
        }
        let seen = await clients.stop()
        #expect(seen.failures.isEmpty)
        // A slow machine holds loops up, which is said.
        let warnings = log.entries.filter { $0.level >= .warning }
        #expect(warnings.allSatisfy { $0.message.hasPrefix("a handler held its event loop") })
        try await running.stop()
        #expect(log.entry("drained") != nil)
    }

    @Test func `what a loop has in progress ends well after others took its place`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(2)
        let hold = Hold()
        let app = Self.makeListening(log)
        hold.declare(on: app)
        let running = try await RunningApp(app, log: log, cpus: pod.cpus)
        let address = try #require(running.addresses.first)
        var clients: [RawClient] = []
        for _ in 0..<8 {
            let client = try RawClient(address)
            client.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n")
            clients.append(client)
        }
        #expect(await eventuallyTrue { hold.gate.waitingCount == 8 })
        pod.count = 1
        #expect(await eventuallyTrue { log.entry(Self.change) != nil })
        #expect(try await Self.answering(4, at: address) == Self.names(1))
        #expect(try await Self.metrics(running)["weir_loops_leaving"] == 1)
        hold.gate.open()
        var closed = 0
        for client in clients {
            let answer = try #require(try await WireResponse.all(in: client.receive()).first)
            #expect(answer.status == 200 && answer.text == "held")
            if answer["Connection"] == "close" { closed += 1 }
        }
        #expect(closed > 0 && closed < 8)
        for client in clients { client.close() }
        #expect(await eventuallyMetric(running, "weir_loops_leaving", is: 0))
        // It is there still, and can come back.
        pod.count = 2
        #expect(await eventuallyTrue { log.entries.count { $0.message == Self.change } == 2 })
        #expect(try await Self.answering(8, at: address) == Self.names(2))
        try await running.stop()
    }

    private func eventuallyMetric(_ running: RunningApp, _ name: String, is value: Double) async -> Bool {
        for _ in 0..<1000 {
            if (try? await Self.metrics(running))?[name] == value { return true }
            try? await Task.sleep(for: .milliseconds(10))
        }
        return false
    }

    /// With memory for connections of which a third would not be enough for the body that comes.
    private static let bufferBytes = 1 << 20

    @Test func `a body that is being collected goes on when more loops share the memory for it`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(1)
        let folder = try ScratchFolder()
        let app = Self.makeListening(log) {
            $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)]
            $0.bufferBytes = .exactly(Self.bufferBytes)
            $0.connectionsMax = .exactly(16)
        }
        app.post("/collect", on: .loop) { request, _ in .text("\(try request.body.collect().count)") }
        let running = try await RunningApp(app, log: log, cpus: pod.cpus)
        let client = try RawClient(try #require(running.addresses.first))
        client.send("POST /collect HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n")
        let chunk = [UInt8](repeating: 1, count: 1 << 16)
        func send(chunks: Int) {
            for _ in 0..<chunks {
                client.send("10000\r\n")
                client.send(chunk)
                client.send("\r\n")
            }
            client.waitUntilTaken()
        }
        send(chunks: 6)
        pod.count = 3
        #expect(await eventuallyTrue { log.entry(Self.change) != nil })
        #expect(try await Self.metrics(running)["weir_loops"] == 3)
        send(chunks: 1)
        client.send("0\r\n\r\n")
        #expect(try await WireResponse.all(in: client.receive()).map(\.text) == ["\(7 << 16)"])
        try await running.stop()
    }

    @Test func `the limit of memory is one for all loops, and those that have left hold nothing of it`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(2)
        let folder = try ScratchFolder()
        let app = Self.makeListening(log) {
            $0.listen = [.unix(path: "\(folder.path)/s", mode: nil)]
            $0.bufferBytes = .exactly(Self.bufferBytes)
        }
        app.post("/collect", on: .loop) { request, _ in .text("\(try request.body.collect().count)") }
        let running = try await RunningApp(app, log: log, cpus: pod.cpus)
        let address = try #require(running.addresses.first)
        #expect(try await Self.metrics(running)["weir_buffer_limit_bytes"] == Double(Self.bufferBytes))
        let clients = try (0..<8).map { _ in
            let client = try RawClient(address)
            client.send("POST /collect HTTP/1.1\r\nHost: h\r\nContent-Length: 20000\r\n\r\n")
            client.send([UInt8](repeating: 1, count: 10_000))
            client.waitUntilTaken()
            return client
        }
        pod.count = 1
        #expect(await eventuallyTrue { log.entry(Self.change) != nil })
        #expect(try await Self.metrics(running)["weir_loops_leaving"] == 1)
        // Held by both loops.
        #expect(await eventuallyMetric(running, "weir_buffer_bytes", is: 80_000))
        for client in clients {
            client.send([UInt8](repeating: 1, count: 10_000))
            #expect(try await WireResponse.all(in: client.receive()).map(\.text) == ["20000"])
            client.close()
        }
        #expect(await eventuallyMetric(running, "weir_loops_leaving", is: 0))
        #expect(await eventuallyMetric(running, "weir_buffer_bytes", is: 0))
        #expect(try await Self.metrics(running)["weir_buffer_limit_bytes"] == Double(Self.bufferBytes))
        try await running.stop()
    }

    @Test func `requests that wait get the places of new CPUs, and none is lost when they go`() async throws {
        let hold = Hold()
        let pod = CPUsInHand(1)
        let app = makeHeldApp(hold) {
            $0.admission.concurrency = .perCPU(1)
            $0.admission.queueMax = .automatic
            $0.workersMax = .automatic
        }
        try await app.test(memoryUsage: MemoryBudget().usage, cpus: pod.cpus) { client async throws in
            let connections = try (0..<4).map { _ in try client.raw() }
            for connection in connections { connection.send("GET /hold HTTP/1.1\r\nHost: h\r\n\r\n") }
            #expect(await eventuallyTrue { client.pod.executing == 1 && client.pod.queued == 3 })
            #expect(client.pod.limit == 1 && client.pod.queueLimit == 4)
            pod.count = 3
            #expect(await eventuallyTrue { client.pod.executing == 3 && client.pod.queued == 1 })
            #expect(client.pod.limit == 3 && client.pod.queueLimit == 12)
            pod.count = 1
            #expect(await eventuallyTrue { client.pod.limit == 1 })
            #expect(client.pod.executing == 3 && client.pod.queued == 1)
            hold.gate.open()
            for connection in connections {
                #expect(try await WireResponse.all(in: connection.receive()).map(\.text) == ["held"])
            }
            #expect(await client.untilQuiet())
        }
    }

    @Test func `background work that waits begins on the workers of new CPUs`() async throws {
        let pod = CPUsInHand(2)
        let gate = Gate()
        let app = makeApp { $0.workersMax = .automatic }
        app.get("/", on: .loop) { _, context in
            for _ in 0..<8 { try context.background { gate.pass() } }
            return .text("left")
        }
        try await app.test(memoryUsage: MemoryBudget().usage, cpus: pod.cpus) { client async throws in
            #expect(try await client.get("/").text == "left")
            // Half of 8 workers, then half of 16.
            #expect(await eventuallyTrue { gate.waitingCount == 4 })
            pod.count = 4
            #expect(await eventuallyTrue { gate.waitingCount == 8 })
            gate.open()
        }
    }

    @Test func `numbers that are given stay`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(1)
        let app = Self.makeListening(log) {
            $0.loops = .exactly(2)
            $0.workersMax = .exactly(5)
            $0.admission.concurrency = .exactly(7)
        }
        let running = try await RunningApp(app, log: log, cpus: pod.cpus)
        pod.count = 4
        #expect(await eventuallyTrue { log.entry(Self.change) != nil })
        let metrics = try await Self.metrics(running)
        #expect(metrics["weir_loops"] == 2)
        #expect(metrics["weir_workers_limit"] == 5)
        #expect(metrics["weir_concurrency_limit{pool=\"pod\"}"] == 7)
        try await running.stop()
    }

    @Test func `a reading that fails is no news, and is said once`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(1)
        let running = try await RunningApp(Self.makeListening(log), log: log, cpus: pod.cpus)
        // A number counts when it was read twice in a row; the first reading may have begun before.
        for (isUnread, readings) in [(true, 3), (false, 2), (true, 2)] {
            pod.isUnread = isUnread
            let before = pod.readingCount
            #expect(await eventuallyTrue { pod.readingCount >= before + readings })
        }
        #expect(log.entry(Self.change) == nil)
        let said = log.entries.filter { $0.level >= .warning }
        #expect(said.map(\.message) == ["the pod's CPU budget cannot be read for now; the last one holds"])
        #expect(said.first?.metadata["source"] == "cpu.max")
        pod.isUnread = false
        pod.count = 2
        #expect(await eventuallyTrue { log.entry(Self.change) != nil })
        let change = try #require(log.entry(Self.change)).metadata
        #expect(change["threads"] == "2" && change["threads_before"] == "1")
        #expect(change["cpus"] == "1.5" && change["decided_by"] == "cpu.max")
        try await running.stop()
    }

    @Test func `workers follow, and a loop beyond the machine's CPUs is not made`() async throws {
        let log = CapturedLog()
        let pod = CPUsInHand(1, most: 2)
        let running = try await RunningApp(Self.makeListening(log), log: log, cpus: pod.cpus)
        pod.count = 4
        #expect(await eventuallyTrue { log.entry(Self.change) != nil })
        let metrics = try await Self.metrics(running)
        #expect(metrics["weir_loops"] == 2)
        #expect(metrics["weir_workers_limit"] == 16)
        try await running.stop()
    }

    @Test func `loops that share a Unix socket come and go as well`() async throws {
        let log = CapturedLog()
        let folder = try ScratchFolder()
        let pod = CPUsInHand(1)
        let app = Self.makeListening(log) { $0.listen = [.unix(path: "\(folder.path)/s", mode: 0o600)] }
        let running = try await RunningApp(app, log: log, cpus: pod.cpus)
        let address = try #require(running.addresses.first)
        for (changes, count) in [2, 1].enumerated() {
            pod.count = count
            #expect(await eventuallyTrue { log.entries.count { $0.message == Self.change } == changes + 1 })
            #expect(try await Self.answering(16, at: address) == Self.names(count))
        }
        try await running.stop()
    }
}

@Suite struct SteadyCountTests {
    @Test(arguments: [
        ([1, 1, 1], []), ([1, 2, 1, 2, 1], []), ([2, 2], [2]), ([2, 3, 3], [3]), ([2, 2, 1, 1], [2, 1]),
        ([2, 3, 2, 3], []), ([2, 2, 2, 2], [2]),
    ])
    func `a number counts when it is read twice in a row`(read: [Int], changes: [Int]) {
        var count = SteadyCount(1)
        var found: [Int] = []
        for number in read {
            let before = count.present
            guard let former = count.note(number) else { continue }
            #expect(former == before)
            found.append(count.present)
        }
        #expect(found == changes)
    }
}
