// SPDX-License-Identifier: Apache-2.0
// One budget of memory under the hands of many threads, as the loops of a server are.

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct BufferBudgetThreadsTests {
    private static let threads = 8
    private static let pieceMax = 4096

    /// What all hold in truth: counted before a pool notes more, and after it has noted less, so never too little.
    private final class Truth: Sendable {
        private let bytes = Atomic<Int>(0)
        private let highest = Atomic<Int>(0)

        var peak: Int { highest.load(ordering: .relaxed) }
        var now: Int { bytes.load(ordering: .relaxed) }

        func change(_ count: Int) {
            highest.max(bytes.wrappingAdd(count, ordering: .relaxed).newValue, ordering: .relaxed)
        }
    }

    @Test func `many threads note up and down, the sum is right and the bound holds`() throws {
        let budget = BufferBudget(bytesMax: 1 << 20, connectionsMax: 0)
        let truth = Truth()
        let rests = Mutex<[Int]>([])
        let seed = UInt64.random(in: 0...(.max))
        try Self.onThreads { index in
            var pool = BufferPool()
            pool.setBudget(budget)
            let rest = Self.takeAndGive(&pool, truth, seed: seed &+ UInt64(index))
            // Once more each, so that what is told is what is held.
            pool.settle()
            rests.withLock { $0.append(rest) }
        }
        let rest = rests.withLock { $0 }
        #expect(rest.count == Self.threads)
        #expect(budget.heldBytes == rest.reduce(0, +), "seed \(seed)")
        #expect(truth.now == budget.heldBytes)
        // Beyond the bound is what each may have untold, and the piece that it took when it last saw room.
        let beyond = Self.threads * (budget.bytesUntoldMax + Self.pieceMax)
        #expect(truth.peak <= budget.bytesMax + beyond, "seed \(seed)")
        #expect(truth.peak > budget.bytesMax / 2, "the bound was never near")
    }

    @Test func `what all have given back is free, whoever had it`() throws {
        let budget = BufferBudget(bytesMax: 1 << 20, connectionsMax: 0)
        let seed = UInt64.random(in: 0...(.max))
        try Self.onThreads { index in
            var pool = BufferPool()
            pool.setBudget(budget)
            let rest = Self.takeAndGive(&pool, Truth(), seed: seed &+ UInt64(index))
            pool.note(-rest)
            pool.settle()
        }
        #expect(budget.heldBytes == 0, "seed \(seed)")
    }

    /// Takes where there is room and gives back, in pieces and in any order.
    ///
    /// - Returns: what it holds at the end.
    private static func takeAndGive(_ pool: inout BufferPool, _ truth: Truth, seed: UInt64) -> Int {
        var random = SeededGenerator(seed: seed)
        var held = 0
        for _ in 0..<50_000 {
            switch random.below(8) {
            case 0:
                pool.settle()
            case 1:
                let piece = random.below(min(held, 4 * pieceMax) + 1)
                pool.note(-piece)
                held -= piece
                truth.change(-piece)
            default:
                // As a turn of a loop does: a look at what the others hold, and then no more than a piece.
                pool.settle()
                guard pool.room() > 0 else { continue }
                let piece = 1 + random.below(pieceMax)
                truth.change(piece)
                pool.note(piece)
                held += piece
            }
        }
        return held
    }

    /// Runs `body` on so many threads at once, and waits for all.
    private static func onThreads(_ count: Int = threads, _ body: @escaping @Sendable (Int) -> Void) throws {
        guard count > 0 else { return }
        let thread = try SystemThread.start { body(count) }
        try onThreads(count - 1, body)
        thread.join()
    }
}
