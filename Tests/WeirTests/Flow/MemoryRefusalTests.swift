// SPDX-License-Identifier: Apache-2.0
// Who is turned away while the pod is short of memory.

import Synchronization
import Testing
import Weir
import WeirFlow
import WeirHost
import WeirMetrics

/// A pod of 1000 bytes.
private final class SmallPod: Sendable {
    private let used = Atomic<Int>(100)
    private let isUnread = Atomic(false)
    private let readings = Atomic(0)

    func use(_ bytes: Int) { used.store(bytes, ordering: .relaxed) }

    /// From now on reading fails, as without descriptors.
    func hide(_ isHidden: Bool) { isUnread.store(isHidden, ordering: .relaxed) }

    var readingCount: Int { readings.load(ordering: .relaxed) }

    func usage() -> MemoryUsage {
        readings.wrappingAdd(1, ordering: .relaxed)
        return isUnread.load(ordering: .relaxed)
            ? MemoryUsage(usedBytes: nil, limitBytes: nil, isUnread: true)
            : MemoryUsage(usedBytes: used.load(ordering: .relaxed), limitBytes: 1000)
    }
}

@Suite(.timeLimit(.minutes(2))) struct MemoryRefusalTests {
    /// An app with a route for each class and one without a pool; above 850 bytes it sheds, above 950 it refuses.
    private static func makeApp() -> App {
        let app = WeirTests.makeApp()
        app.handle(.loop, "/sheddable", [.priority(.sheddable)]) { _, _ in .text("ran") }
        app.handle(.async, "/default") { _, _ in .text("ran") }
        app.handle(.loop, "/critical", [.priority(.critical)]) { _, _ in .text("ran") }
        app.handle(.loop, "/own", [.concurrency(4)]) { _, _ in .text("ran") }
        app.handle(.loop, "/health", [.unqueued]) { _, _ in .text("ran") }
        return app
    }

    private static let targets = ["/sheddable", "/default", "/critical", "/own", "/health"]

    private static func statuses(_ client: TestClient) async throws -> [Int] {
        var statuses: [Int] = []
        for target in targets { statuses.append(try await client.get(target).status) }
        return statuses
    }

    @Test func `the least is turned away first, then all but health, and none once there is room`() async throws {
        let pod = SmallPod()
        try await Self.makeApp().test(memoryUsage: pod.usage) { client async throws in
            #expect(try await Self.statuses(client) == [200, 200, 200, 200, 200])

            pod.use(860)
            try #require(await eventuallyTrue { client.memoryPressure == .shedding })
            #expect(try await Self.statuses(client) == [503, 200, 200, 200, 200])
            #expect(client.rejected(.memory) == 1)

            pod.use(960)
            try #require(await eventuallyTrue { client.memoryPressure == .critical })
            #expect(try await Self.statuses(client) == [503, 503, 503, 503, 200])
            #expect(client.rejected(.memory) == 5)

            // Left 5 points below where it began.
            pod.use(890)
            try #require(await eventuallyTrue { client.memoryPressure == .shedding })
            #expect(try await Self.statuses(client) == [503, 200, 200, 200, 200])

            pod.use(790)
            try #require(await eventuallyTrue { client.memoryPressure == .normal })
            #expect(try await Self.statuses(client) == [200, 200, 200, 200, 200])
            #expect(client.rejected(.memory) == 6)
            #expect(await client.untilQuiet())
        }
    }

    @Test func `while the usage cannot be read the last level stays`() async throws {
        let pod = SmallPod()
        try await Self.makeApp().test(memoryUsage: pod.usage) { client async throws in
            pod.use(960)
            try #require(await eventuallyTrue { client.memoryPressure == .critical })
            pod.hide(true)
            pod.use(100)
            let before = pod.readingCount
            try #require(await eventuallyTrue { pod.readingCount >= before + 3 })
            #expect(client.memoryPressure == .critical)
            pod.hide(false)
            #expect(await eventuallyTrue { client.memoryPressure == .normal })
        }
    }

    @Test func `the refusal says why, and when to come again`() async throws {
        let pod = SmallPod()
        pod.use(1000)
        try await Self.makeApp().test(memoryUsage: pod.usage) { client async throws in
            try #require(await eventuallyTrue { client.memoryPressure == .critical })
            let response = try await client.get("/default")
            #expect(response.status == 503)
            #expect(response.headers["Retry-After"] == "5")
            #expect(response.headers["Content-Type"] == "application/problem+json")
            #expect(response.text.contains(#""detail":"memory is short","reason":"memory""#))
            #expect(RejectionReason.memory.label == "memory")
            #expect(client.rejected(.memory) == 1)
        }
    }
}
