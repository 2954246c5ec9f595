// SPDX-License-Identifier: Apache-2.0
// Messages to a loop, and how they wake it.

import CWeirSystem
import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct InboxTests {
    @Test func `messages run in the order in which they were sent`() throws {
        let test = try HandTurnedLoop()
        final class Box: @unchecked Sendable { var values: [Int] = [] }
        let box = Box()
        for value in 0..<100 { test.loop.submit { _ in box.values.append(value) } }
        test.turn()
        #expect(box.values == Array(0..<100))
    }

    @Test func `a message sent by a message runs, in this turn or the next`() throws {
        let test = try HandTurnedLoop()
        final class Box: @unchecked Sendable { var depth = 0 }
        let box = Box()
        @Sendable func step(_ loop: EventLoop) {
            box.depth += 1
            if box.depth < 10 { loop.submit(step) }
        }
        test.loop.submit(step)
        // No turn waits although nobody else sends: what is in the inbox keeps the loop awake.
        for _ in 0..<10 { test.loop.turn() }
        #expect(box.depth == 10)
    }

    @Test func `a function gets its argument, on the loop's thread`() throws {
        let thread = try LoopThread()
        let argument = UnsafeMutablePointer<Int>.allocate(capacity: 1)
        argument.initialize(to: 0)
        defer { argument.deallocate() }
        thread.loop.submit(
            { loop, pointer in
                pointer.assumingMemoryBound(to: Int.self).pointee = loop.isCurrent ? 42 : -1
            },
            UnsafeMutableRawPointer(argument)
        )
        thread.stop()
        #expect(argument.pointee == 42)
        #expect(thread.loop.hasEnded)
    }

    @Test func `only the loop's own thread is its thread`() throws {
        let first = try LoopThread(index: 0)
        let second = try LoopThread(index: 1)
        #expect(!first.loop.isCurrent)
        #expect(!EventLoop.isOnAnyLoop)
        #expect(first.read { $0.isCurrent } == true)
        #expect(first.read { _ in EventLoop.isOnAnyLoop } == true)
        let other = second.loop
        #expect(first.read { _ in other.isCurrent } == false)
        first.stop()
        second.stop()
    }

    @Test(.timeLimit(.minutes(2)))
    func `two loops that send each other one message at a time wake each other each time`() throws {
        let first = try LoopThread(index: 0)
        let second = try LoopThread(index: 1)
        let ball = Ball(loops: [first.loop, second.loop])
        ball.hit(0)
        eventually("all rounds are played") { ball.rounds.load(ordering: .relaxed) >= Ball.roundsMax }
        first.stop()
        second.stop()
        #expect(ball.rounds.load(ordering: .relaxed) == Ball.roundsMax)
    }

    @Test(arguments: [1, 4, 16])
    func `what many threads send runs exactly once, and in order for each of them`(senders: Int) throws {
        let each = 20_000 / senders
        let thread = try LoopThread()
        let log = SubmissionLog(senders: senders)
        let running = Counter(senders)
        for sender in 0..<senders {
            _ = try SystemThread.start {
                for number in 0..<each {
                    thread.loop.submit { _ in log.note(sender, number) }
                }
                running.value.wrappingSubtract(1, ordering: .releasing)
            }
        }
        eventually("the senders are done") { running.value.load(ordering: .acquiring) == 0 }
        thread.stop()
        #expect(log.nextNumbers == .init(repeating: each, count: senders))
        #expect(log.outOfOrderCount == 0)
    }

    @Test func `a loop that stands still says for how long`() throws {
        let test = try HandTurnedLoop()
        test.turn()
        #expect(test.loop.sinceLastTurn == 0)
        test.clock.advance(by: 31_000_000_000)
        #expect(test.loop.sinceLastTurn == 31_000_000_000)
        test.turn()
        #expect(test.loop.sinceLastTurn == 0)
        #expect(test.metrics.value(.loopTurns) == 2)
    }

    @Test func `a socket that is handed over while the loop ends is closed`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        var pair: [Int32] = [-1, -1]
        try #require(weir_socketpair(&pair) == 0)
        let peer = Peer(descriptor: pair[0])
        let descriptor = pair[1]
        // Not `turnEnded`, which captures nothing: a message of the last turn asks when the inbox has been read.
        test.loop.hooks.beforeJobs = { [unowned loop = test.loop] in
            loop.submit { $0.adopt(descriptor: descriptor, address: .unix(path: ""), open: recorder.opener) }
        }
        test.loop.noteWork()
        test.end()
        #expect(recorder.closeReasons == [.stopped])
        #expect(peer.receive().isEnd)
    }
}

/// Goes from loop to loop, one message at a time, so that the receiver is always asleep or about to be.
private final class Ball: Sendable {
    static let roundsMax = 20_000
    let loops: [EventLoop]
    let rounds = Atomic<Int>(0)

    init(loops: [EventLoop]) {
        self.loops = loops
    }

    func hit(_ index: Int) {
        loops[index].submit { [self] _ in
            guard rounds.wrappingAdd(1, ordering: .relaxed).newValue < Self.roundsMax else { return }
            hit(1 - index)
        }
    }
}

private final class Counter: Sendable {
    let value: Atomic<Int>

    init(_ value: Int) {
        self.value = Atomic(value)
    }
}

/// `@unchecked Sendable`: written on the loop's thread, read when it has been joined.
private final class SubmissionLog: @unchecked Sendable {
    private(set) var nextNumbers: [Int]
    private(set) var outOfOrderCount = 0

    init(senders: Int) {
        nextNumbers = .init(repeating: 0, count: senders)
    }

    func note(_ sender: Int, _ number: Int) {
        if nextNumbers[sender] != number { outOfOrderCount += 1 }
        nextNumbers[sender] += 1
    }
}
