// SPDX-License-Identifier: Apache-2.0
// A loop as the executor of tasks.

import CWeirSystem
import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite(.timeLimit(.minutes(2))) struct LoopExecutorTests {
    @Test func `a task stays on its loop from the first instruction on and after each suspension`() async throws {
        let thread = try LoopThread()
        let loop = thread.loop
        let places = await Task(executorPreference: loop) {
            var places = [loop.isCurrent]
            await Task.yield()
            places.append(loop.isCurrent)
            try? await Task.sleep(for: .milliseconds(1))
            places.append(loop.isCurrent)
            await resumedElsewhere()
            places.append(loop.isCurrent)
            await Somewhere().visit()
            places.append(loop.isCurrent)
            return places
        }.value
        thread.stop()
        #expect(places == [true, true, true, true, true])
    }

    @Test func `child tasks run on the loop of their parent`() async throws {
        let thread = try LoopThread()
        let loop = thread.loop
        let places = await Task(executorPreference: loop) {
            async let first = loop.isCurrent
            async let second: Bool = {
                await Task.yield()
                return loop.isCurrent
            }()
            var places = [await first, await second]
            await withTaskGroup(of: Bool.self) { group in
                for _ in 0..<5 {
                    group.addTask {
                        await Task.yield()
                        return loop.isCurrent
                    }
                }
                for await place in group { places.append(place) }
            }
            places.append(loop.isCurrent)
            return places
        }.value
        thread.stop()
        #expect(places == .init(repeating: true, count: 8))
    }

    @Test(arguments: [1, 63, 64, 65, 128, 1000])
    func `tasks run in the order in which the loop's thread made them`(count: Int) throws {
        let thread = try LoopThread()
        let order = Order()
        // Two rounds, so that the queue's ring wraps round before and after it grew.
        for round in 0..<2 {
            thread.loop.submit { loop in
                for number in 0..<count {
                    Task(executorPreference: loop) { order.numbers.append(round * count + number) }
                }
            }
        }
        eventually("all tasks ran") { thread.read { _ in order.numbers.count } == 2 * count }
        thread.stop()
        #expect(order.numbers == Array(0..<(2 * count)))
    }

    /// What two connections do that are reported, or resumed, together, and of which each brings a task.
    private func steps(
        areResumed: Bool,
        _ work: @escaping @Sendable (EventLoop, Steps) -> Void
    ) throws -> [String] {
        let thread = try LoopThread()
        let steps = Steps()
        let recorders = [Recorder(), Recorder()]
        var peers: [Peer] = []
        var descriptors: [Int32] = []
        for recorder in recorders {
            var pair: [Int32] = [-1, -1]
            try #require(weir_socketpair(&pair) == 0)
            peers.append(Peer(descriptor: pair[0]))
            peers.last?.send("ping")
            descriptors.append(pair[1])
            if areResumed { recorder.onOpened = { _, channel in channel.pause() } }
            recorder.onReceived = { loop, _, bytes in
                steps.names.append("received")
                Task(executorPreference: loop) { work(loop, steps) }
                return bytes.count
            }
        }
        thread.loop.submit { [descriptors] loop in
            for (descriptor, recorder) in zip(descriptors, recorders) {
                loop.adopt(descriptor: descriptor, address: .unix(path: ""), open: recorder.opener)
            }
        }
        if areResumed {
            // Two turns, so that what has come was reported.
            for _ in 0..<2 { _ = thread.read { _ in } }
            thread.loop.submit { loop in for recorder in recorders { recorder.channel.resume(on: loop) } }
        }
        eventually("both tasks are done") { thread.read { _ in steps.names.count { $0 == "done" } } == 2 }
        thread.stop()
        return steps.names
    }

    @Test(arguments: [false, true])
    func `the task that an event brought runs before the next event`(areResumed: Bool) throws {
        let names = try steps(areResumed: areResumed) { _, steps in steps.names.append("done") }
        #expect(names == ["received", "done", "received", "done"])
    }

    @Test(arguments: [false, true])
    func `what such a task brings waits until all events were looked at`(areResumed: Bool) throws {
        let names = try steps(areResumed: areResumed) { loop, steps in
            steps.names.append("began")
            Task(executorPreference: loop) { steps.names.append("done") }
        }
        #expect(names == ["received", "began", "received", "done", "began", "done"])
    }

    @Test func `two tasks that wake each other do not starve a connection`() throws {
        let thread = try LoopThread()
        let recorder = Recorder.echo()
        var pair: [Int32] = [-1, -1]
        try #require(weir_socketpair(&pair) == 0)
        let peer = Peer(descriptor: pair[0])
        let descriptor = pair[1]
        let isDone = Flag()
        thread.loop.submit { loop in
            for _ in 0..<2 {
                Task(executorPreference: loop) {
                    while !isDone.value.load(ordering: .relaxed) { await Task.yield() }
                }
            }
            loop.adopt(descriptor: descriptor, address: .unix(path: ""), open: recorder.opener)
        }
        for _ in 0..<20 {
            peer.send("ping")
            var answer: [UInt8] = []
            eventually("the connection is served") {
                answer += peer.receive().bytes
                return answer.count == 4
            }
        }
        isDone.value.store(true, ordering: .relaxed)
        thread.stop()
        #expect(recorder.taken.count == 80)
    }

    @Test func `ten thousand tasks from many threads all run`() throws {
        let thread = try LoopThread()
        let loop = thread.loop
        let order = Order()
        for sender in 0..<4 {
            _ = try SystemThread.start {
                for number in 0..<2500 {
                    Task(executorPreference: loop) {
                        await Task.yield()
                        order.numbers.append(sender * 2500 + number)
                    }
                }
            }
        }
        eventually("all tasks ran") { thread.read { _ in order.numbers.count } == 10_000 }
        thread.stop()
        #expect(Set(order.numbers).count == 10_000)
        #expect(loop.metrics.value(.jobsRun) >= 20_000)
    }

    @Test func `a job that holds the loop for too long is reported with its duration`() throws {
        let test = try HandTurnedLoop()
        let clock = test.clock
        var stalls: [Nanoseconds] = []
        test.loop.hooks.stallNanoseconds = 50_000_000
        test.loop.hooks.stalled = { _, nanoseconds in stalls.append(nanoseconds) }
        for held: Nanoseconds in [50_000_000, 50_000_001, 0] {
            Task(executorPreference: test.loop) { clock.advance(by: held) }
        }
        eventually("the jobs ran") {
            test.turn()
            return test.metrics.value(.jobsRun) == 3
        }
        #expect(stalls == [50_000_001])
    }

    @Test func `the hook before the jobs runs once for each note of work`() throws {
        let test = try HandTurnedLoop()
        var count = 0
        test.loop.hooks.beforeJobs = { count += 1 }
        test.turn(3)
        #expect(count == 0)
        test.loop.noteWork()
        test.loop.noteWork()
        // Work that was noted keeps the loop from waiting: nobody else wakes this turn.
        test.loop.turn()
        #expect(count == 1)
        test.turn(3)
        #expect(count == 1)
    }

    @Test func `the hook at the end of a turn runs once per turn`() throws {
        let test = try HandTurnedLoop()
        var count = 0
        withUnsafeMutablePointer(to: &count) { count in
            test.loop.hooks.context = UnsafeMutableRawPointer(count)
            test.loop.hooks.turnEnded = { $0?.assumingMemoryBound(to: Int.self).pointee += 1 }
            test.turn(7)
            test.loop.hooks.turnEnded = nil
        }
        #expect(count == 7)
    }
}

/// `@unchecked Sendable`: confined to a loop's thread, read there or when it has been joined.
private final class Order: @unchecked Sendable {
    var numbers: [Int] = []
}

/// `@unchecked Sendable`: as `Order`.
private final class Steps: @unchecked Sendable {
    var names: [String] = []
}

private final class Flag: Sendable {
    let value = Atomic<Bool>(false)
}

private actor Somewhere {
    func visit() async { await Task.yield() }
}

/// Suspends, and is resumed by a thread of its own.
private func resumedElsewhere() async {
    await withUnsafeContinuation { (continuation: UnsafeContinuation<Void, Never>) in
        if (try? SystemThread.start { continuation.resume() }) == nil { continuation.resume() }
    }
}
