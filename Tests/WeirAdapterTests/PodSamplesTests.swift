// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirAdapter
import WeirEventLoop

@Suite struct PodSamplesTests {
    private static let window = 10 * PodSample.second
    private static let ageMax = 15 * PodSample.second

    private func samples(_ all: [PodSample], window: Nanoseconds = window) -> PodSamples {
        var samples = PodSamples()
        for sample in all { samples.add(sample, window: window) }
        return samples
    }

    private func value(_ signal: PodSignal, _ samples: PodSamples, at second: Double) -> PodValue? {
        samples.value(of: signal, now: Nanoseconds(second * 1e9), ageMax: Self.ageMax)
    }

    @Test func `a mean comes from the integral, not from what was seen`() throws {
        // Empty whenever it was looked at, and eight waited in between for half the time.
        let samples = samples((0...20).map { .at(Double($0), QueueReading.text(queueSeconds: Double($0) * 4)) })
        let queued = try #require(value(.queued, samples, at: 20))
        #expect(queued.value == 4 && queued.windowSeconds == 10 && queued.second == 20)
        // What happened before the window is not in it.
        let late = self.samples(
            (0...20).map { .at(Double($0), QueueReading.text(queueSeconds: Double(max(0, $0 - 10)) * 2)) }
        )
        #expect(value(.queued, late, at: 20)?.value == 2)
    }

    @Test func `of one reading the mean is the gauge, and there is no rate`() {
        let samples = samples([.at(1, QueueReading.text(queued: 3, arrived: 100))])
        #expect(value(.queued, samples, at: 1)?.value == 3)
        #expect(value(.queued, samples, at: 1)?.windowSeconds == nil)
        #expect(value(.arrivals, samples, at: 1) == nil)
    }

    @Test func `a rate is the growth in a second`() {
        let samples = samples([.at(0, QueueReading.text(arrived: 5)), .at(4, QueueReading.text(arrived: 25))])
        #expect(value(.arrivals, samples, at: 4)?.value == 5)
    }

    @Test func `what the pod has over a window of its own is the newest`() {
        let samples = samples([
            .at(0, QueueReading.text(utilization: 3)), .at(1, QueueReading.text(utilization: 0.5)),
        ])
        #expect(value(.utilization, samples, at: 1)?.value == 0.5)
    }

    @Test func `a reading that is too old is none`() {
        let samples = samples([.at(1)])
        #expect(value(.queued, samples, at: 15.9) != nil)
        #expect(value(.queued, samples, at: 16) == nil)
        #expect(value(.queued, PodSamples(), at: 0) == nil)
    }

    @Test func `a process that has begun anew has no past`() {
        let samples = samples([
            .at(0, QueueReading.text(queueSeconds: 100)), .at(5, QueueReading.text(queued: 2, queueSeconds: 1)),
        ])
        #expect(value(.queued, samples, at: 5)?.value == 2)
        var next = samples
        next.add(.at(7, QueueReading.text(queueSeconds: 5)), window: Self.window)
        #expect(value(.queued, next, at: 7)?.value == 2)
    }

    @Test(arguments: [0.01, 0.1, 0.3, 1, 3, 9, 20])
    func `however often a pod is asked, readings are few and the window is whole`(interval: Double) throws {
        var samples = PodSamples()
        var second = 0.0
        while second < 100 {
            samples.add(.at(second, QueueReading.text(queueSeconds: second * 3)), window: Self.window)
            second += interval
        }
        #expect(samples.count <= PodSamples.countMax)
        let queued = try #require(value(.queued, samples, at: second))
        #expect(abs(queued.value - 3) < 1e-9)
        let expected = max(Self.window / PodSample.second, UInt64(interval))
        #expect(try #require(queued.windowSeconds) <= Int64(expected) + Int64(interval.rounded(.up)))
        #expect(try #require(queued.windowSeconds) >= 9)
    }
}
