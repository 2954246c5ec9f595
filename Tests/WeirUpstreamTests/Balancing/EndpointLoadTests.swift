// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirEventLoop
import WeirUpstream

/// A load that expectations can name: they copy what they name.
private final class Load: Sendable {
    private let load: EndpointLoad

    init(timeConstant: Nanoseconds = EndpointLoad.timeConstantDefault) {
        load = EndpointLoad(timeConstant: timeConstant)
    }

    var requestsInFlight: Int { load.requestsInFlight }
    func begin() { load.begin() }
    func end() { load.end() }
    func note(_ time: Nanoseconds, at now: Nanoseconds) { load.note(time, at: now) }
    func noteFailure(after time: Nanoseconds, at now: Nanoseconds) { load.noteFailure(after: time, at: now) }
    func forget() { load.forget() }
    func average(at now: Nanoseconds) -> Double? { load.average(at: now) }
    func cost(at now: Nanoseconds) -> Double { load.cost(at: now) }
}

@Suite struct EndpointLoadTests {
    private static let millisecond: UInt64 = 1_000_000
    private static let second: UInt64 = 1_000_000_000

    @Test func `without a sample it is free while idle, and dear with the first request`() {
        let load = Load()
        #expect(load.average(at: 0) == nil)
        #expect(load.cost(at: 0) == 0)
        load.begin()
        #expect(load.cost(at: 0) == 2 * Double(EndpointLoad.unknownNanoseconds))
        load.begin()
        #expect(load.cost(at: 0) == 3 * Double(EndpointLoad.unknownNanoseconds))
        load.end()
        load.end()
        #expect(load.cost(at: 0) == 0)
        #expect(load.requestsInFlight == 0)
    }

    @Test(arguments: 0...5)
    func `cost is the average times one more than there are in flight`(requests: Int) {
        let load = Load()
        load.note(20 * Self.millisecond, at: 7)
        for _ in 0..<requests { load.begin() }
        #expect(load.cost(at: 7) == 20e6 * Double(requests + 1))
    }

    @Test func `it rises at once`() {
        let load = Load()
        for time in [1, 5, 80, 400] as [UInt64] {
            load.note(time * Self.millisecond, at: Self.second)
            #expect(load.average(at: Self.second) == Double(time) * 1e6)
        }
    }

    /// Milliseconds since the sample, and the time constant.
    @Test(arguments: [0, 1, 50, 77, 79, 500, 1000, 10000, 30000] as [UInt64], [1000, 10000] as [UInt64])
    func `it falls by its time constant`(elapsed: UInt64, constant: UInt64) throws {
        let load = Load(timeConstant: constant * Self.millisecond)
        load.note(1 << 62, at: Self.second)
        let kept = exp(-Double(elapsed) / Double(constant))
        let read = try #require(load.average(at: Self.second + elapsed * Self.millisecond)) / 0x1p62
        #expect(abs(read / kept - 1) < 1e-6, "between samples")
        load.note(1 << 61, at: Self.second + elapsed * Self.millisecond)
        let noted = try #require(load.average(at: Self.second + elapsed * Self.millisecond)) / 0x1p62
        #expect(abs(noted - (kept + (1 - kept) / 2)) < 1e-6, "with a sample of half as much")
    }

    @Test func `many samples wear a peak down as one does`() throws {
        let load = Load()
        load.note(1 << 62, at: 0)
        // 100,000 a second: each step is a hundred-thousandth of the time constant's hundredth.
        for step in 1...200_000 as ClosedRange<UInt64> { load.note(1, at: step * 10000) }
        let average = try #require(load.average(at: 2 * Self.second)) / 0x1p62
        #expect(abs(average / exp(-0.2) - 1) < 1e-6)
    }

    @Test func `a sample from a moment ago neither decays anything nor raises the average`() {
        let load = Load()
        load.note(8 * Self.millisecond, at: 2 * Self.second)
        load.note(1 * Self.millisecond, at: Self.second)
        #expect(load.average(at: 2 * Self.second) == 8e6)
        #expect(load.average(at: 0) == 8e6)
    }

    @Test func `what was idle for long counts a nanosecond, not nothing`() {
        let load = Load()
        load.note(Self.second, at: 0)
        load.begin()
        #expect(load.average(at: 3_600 * Self.second) == 1)
        #expect(load.cost(at: .max) == 2)
    }

    @Test func `what is forgotten is as new`() {
        let load = Load()
        load.note(Self.second, at: Self.second)
        load.forget()
        #expect(load.average(at: Self.second) == nil)
        load.note(Self.millisecond, at: Self.second)
        #expect(load.average(at: Self.second) == 1e6)
    }

    /// Milliseconds until the failure, and what it counts.
    @Test(arguments: [(0, 1000), (1, 1000), (999, 1000), (5000, 5000)] as [(UInt64, UInt64)])
    func `a failure counts a second, or what it took`(took: UInt64, counted: UInt64) {
        let load = Load()
        load.note(Self.millisecond, at: 0)
        load.noteFailure(after: took * Self.millisecond, at: 0)
        #expect(load.average(at: 0) == Double(counted) * 1e6)
    }

    @Test func `threads lose no request and no interval`() throws {
        let load = Load()
        load.note(1 << 62, at: 0)
        let steps: UInt64 = 50_000
        // Each thread's samples lie between those of the others, so each has an interval to lose.
        let work: @Sendable (UInt64) -> Void = { thread in
            for step in 1...steps {
                load.begin()
                load.note(1, at: step * 200_000 - thread * 50_000)
                load.end()
            }
        }
        let first = try SystemThread.start { work(1) }
        let second = try SystemThread.start { work(2) }
        let third = try SystemThread.start { work(3) }
        work(0)
        first.join()
        second.join()
        third.join()
        #expect(load.requestsInFlight == 0)
        // One time constant, whoever took which part of it.
        let average = try #require(load.average(at: steps * 200_000)) / 0x1p62
        #expect(abs(average / exp(-1) - 1) < 1e-6)
    }
}
