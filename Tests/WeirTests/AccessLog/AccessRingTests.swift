// SPDX-License-Identifier: Apache-2.0
// The ring against an array, between two threads, and where it is full.

import Synchronization
import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite(.timeLimit(.minutes(1))) struct AccessRingTests {
    @Test(arguments: 0..<20 as Range<UInt64>)
    func `any interleaving gives what an array gives`(seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        let ring = AccessRing(capacity: AccessRing.capacityMin, wake: try LogWake())
        var model: [[UInt8]] = []
        var seenCount = 0
        var droppedCount: UInt64 = 0
        // Some runs fill the ring, some keep it nearly empty.
        let pushesOfTen = Int.random(in: 2...8, using: &random)
        let longest = [8, 100, 232, AccessRing.recordBytesMax].randomElement(using: &random)!
        for _ in 0..<5000 {
            if Int.random(in: 0..<10, using: &random) < pushesOfTen {
                let byteCount = Int.random(in: 1...longest, using: &random)
                let record = [UInt8](repeating: .random(in: 0...255, using: &random), count: byteCount)
                if ring.push(record) { model.append(record) } else { droppedCount += 1 }
            } else if Bool.random(using: &random) {
                ring.look()
                seenCount = model.count
            } else if seenCount > 0 {
                seenCount -= 1
                try #require(ring.pop() == model.removeFirst())
                if Bool.random(using: &random) { ring.release() }
            } else {
                try #require(ring.pop() == nil)
            }
        }
        ring.look()
        for record in model { try #require(ring.pop() == record) }
        #expect(ring.pop() == nil)
        #expect(ring.droppedCount == droppedCount)
        ring.release()
        // Empty, it takes the longest, wherever the end of its memory is.
        #expect(ring.push([UInt8](repeating: 1, count: AccessRing.recordBytesMax)))
    }

    @Test func `what one thread hands over another gets whole and in order`() throws {
        let wake = try LogWake()
        let ring = AccessRing(capacity: 16 << 10, wake: wake)
        let total: UInt64 = 300_000
        let retryCount = Atomic<UInt64>(0)
        let thread = try SystemThread.start {
            for number in 0..<total {
                let byteCount = 8 + Int(number % 29)
                var place = ring.reserve(byteCount)
                // Half of the run waits for room, so that the ring goes round often; the other half drops.
                while place == nil, number < total / 2 {
                    retryCount.add(1, ordering: .relaxed)
                    place = ring.reserve(byteCount)
                }
                guard let place else { continue }
                for index in 8..<byteCount {
                    place.storeBytes(of: UInt8(truncatingIfNeeded: number), toByteOffset: index, as: UInt8.self)
                }
                place.storeBytes(of: number, as: UInt64.self)
                ring.commit()
            }
            while !ring.push([UInt8](repeating: 0xFF, count: 8)) { retryCount.add(1, ordering: .relaxed) }
        }
        var takenCount: UInt64 = 0
        var expected: UInt64 = 0
        reading: while true {
            ring.look()
            while let record = ring.next() {
                let number = record.load(as: UInt64.self)
                if number == .max { break reading }
                let isWhole =
                    record.count == 8 + Int(number % 29)
                    && record.dropFirst(8).allSatisfy { $0 == UInt8(truncatingIfNeeded: number) }
                guard isWhole, number >= expected else {
                    Issue.record("record \(number) came where \(expected) was due, or is not whole")
                    break reading
                }
                expected = number + 1
                takenCount += 1
            }
            ring.release()
            wake.sleep(milliseconds: 1) { true }
        }
        ring.release()
        thread.join()
        #expect(takenCount >= total / 2)
        #expect(takenCount + ring.droppedCount == total + retryCount.load(ordering: .relaxed))
    }

    @Test func `a full ring drops and counts, and takes again when there is room`() throws {
        let ring = AccessRing(capacity: AccessRing.capacityMin, wake: try LogWake())
        let record = [UInt8](repeating: 7, count: 120)
        for _ in 0..<32 { #expect(ring.push(record)) }
        for _ in 0..<5 { #expect(!ring.push(record)) }
        #expect(ring.droppedCount == 5)
        ring.look()
        #expect(ring.pop() == record)
        // Taken, but not given back.
        #expect(!ring.push(record))
        ring.release()
        #expect(ring.push(record))
        #expect(!ring.push(record))
        #expect(ring.droppedCount == 7)
    }

    @Test func `a ring that passes half wakes its consumer, again and again`() throws {
        let wake = try LogWake()
        let ring = AccessRing(capacity: AccessRing.capacityMin, wake: wake)
        let record = [UInt8](repeating: 7, count: 120)
        for _ in 0..<100 {
            let sleeper = try SystemThread.start {
                // Longer than the test may take: only a wake-up ends it.
                wake.sleep(milliseconds: 600_000) { ring.isHalfFull }
            }
            for _ in 0..<16 { #expect(ring.push(record)) }
            sleeper.join()
            ring.look()
            while ring.next() != nil {}
            ring.release()
        }
        #expect(ring.droppedCount == 0)
    }

    @Test(arguments: [(1, 4096), (4096, 4096), (4097, 8192), (1 << 20, 1 << 20), (3 << 20, 4 << 20)])
    func `the capacity is a power of two that is not below what was asked for`(asked: Int, given: Int) throws {
        #expect(AccessRing(capacity: asked, wake: try LogWake()).capacity == given)
    }
}
