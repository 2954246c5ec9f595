// SPDX-License-Identifier: Apache-2.0
// The worker pool as the executor of tasks.

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct WorkerPoolExecutorTests {
    private static func makePool(workersMax: Int = 4, queueMax: Int = 100) -> WorkerPool {
        WorkerPool(workersMin: 0, workersMax: workersMax, queueMax: queueMax, idle: 3_600_000_000_000)
    }

    @Test func `a task runs on workers at first and after each suspension`() async {
        let pool = Self.makePool()
        let names = await Task(executorPreference: pool) {
            var names = [threadName()]
            await Task.yield()
            names.append(threadName())
            try? await Task.sleep(for: .milliseconds(1))
            names.append(threadName())
            async let child = threadName()
            names.append(await child)
            return names
        }.value
        #expect(names == .init(repeating: "weir-worker", count: 4))
        #expect(stop(pool))
    }

    @Test func `a task that waits occupies no worker`() async {
        let pool = Self.makePool(workersMax: 1)
        let sum = await withTaskGroup(of: Int.self) { group in
            let (stream, continuation) = AsyncStream.makeStream(of: Int.self)
            group.addTask(executorPreference: pool) {
                var sum = 0
                for await value in stream { sum += value }
                return sum
            }
            group.addTask(executorPreference: pool) {
                for value in 1...100 { continuation.yield(value) }
                continuation.finish()
                return 0
            }
            return await group.reduce(0, +)
        }
        #expect(sum == 5050)
        #expect(stop(pool))
    }

    @Test func `steps of tasks are taken even when the queue is full`() async {
        let pool = Self.makePool(workersMax: 1, queueMax: 1)
        let work = Work()
        #expect(work.submit(to: pool))
        #expect(await eventuallyTrue { work.begun.load(ordering: .acquiring) == 1 })
        #expect(work.submit(to: pool))
        #expect(!pool.hasRoom)
        let tasks = (0..<20).map { number in Task(executorPreference: pool) { number } }
        work.release()
        var sum = 0
        for task in tasks { sum += await task.value }
        #expect(sum == 190)
        #expect(stop(pool))
    }

    @Test func `tasks and functions under load all end`() async {
        let pool = Self.makePool(workersMax: 3, queueMax: 10)
        let work = Work()
        work.release()
        let total = await withTaskGroup(of: Int.self) { group in
            for _ in 0..<200 {
                group.addTask(executorPreference: pool) {
                    var accepted = 0
                    for _ in 0..<10 {
                        if work.submit(to: pool) { accepted += 1 }
                        await Task.yield()
                    }
                    return accepted
                }
            }
            return await group.reduce(0, +)
        }
        #expect(stop(pool))
        #expect(work.done.load(ordering: .acquiring) == total)
        #expect(work.peak.load(ordering: .relaxed) <= 3)
    }

    private func stop(_ pool: WorkerPool) -> Bool {
        pool.stop(deadline: LoopClock.monotonic.now + 30_000_000_000)
    }
}

/// Waits for a condition without holding a thread; false when it does not come.
private func eventuallyTrue(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<30_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(1))
    }
    return false
}
