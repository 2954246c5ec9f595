// SPDX-License-Identifier: Apache-2.0
// One operation, timed on one thread and on more.

import Glibc
import Synchronization

/// An operation and how it is timed.
struct Benchmark {
    let name: String
    let threads: [Int]
    let operations: Int
    /// Makes the state of one run; the closure performs so many operations as the thread of this number.
    let prepare: () -> @Sendable (_ thread: Int, _ operations: Int) -> Void

    static let runs = 7

    func run() {
        for threadCount in threads {
            var figures: [Double] = []
            for _ in 0..<Self.runs { figures.append(measure(threadCount)) }
            let median = figures.sorted()[Self.runs / 2]
            print(name, threadCount, (median * 10).rounded() / 10)
        }
    }

    private func measure(_ threadCount: Int) -> Double {
        let body = prepare()
        body(0, operations / 10)
        let race = Race(threadCount, operations, body)
        let threads = (0..<threadCount).map { startThread(race, $0) }
        for thread in threads { pthread_join(thread, nil) }
        return Double(race.nanoseconds) / Double(operations)
    }
}

/// Threads that begin together.
private final class Race: Sendable {
    let threadCount: Int
    let operations: Int
    let body: @Sendable (Int, Int) -> Void
    private let ready = Atomic<Int>(0)
    private let slowest = Atomic<UInt64>(0)

    init(_ threadCount: Int, _ operations: Int, _ body: @escaping @Sendable (Int, Int) -> Void) {
        self.threadCount = threadCount
        self.operations = operations
        self.body = body
    }

    /// What the slowest thread took.
    var nanoseconds: UInt64 { slowest.load(ordering: .relaxed) }

    func run(_ thread: Int) {
        // Acquire and release: nobody begins before all are here.
        ready.add(1, ordering: .acquiringAndReleasing)
        while ready.load(ordering: .acquiring) < threadCount {}
        let start = clockNanoseconds()
        body(thread, operations)
        slowest.max(clockNanoseconds() - start, ordering: .relaxed)
    }
}

private func startThread(_ race: Race, _ number: Int) -> pthread_t {
    var thread = pthread_t()
    let start = Unmanaged.passRetained(RunnerStart(race, number)).toOpaque()
    pthread_create(
        &thread,
        nil,
        { argument in
            let start = Unmanaged<RunnerStart>.fromOpaque(argument!).takeRetainedValue()
            start.race.run(start.number)
            return nil
        },
        start
    )
    return thread
}

private final class RunnerStart {
    let race: Race
    let number: Int

    init(_ race: Race, _ number: Int) {
        self.race = race
        self.number = number
    }
}

/// The processor time of the calling thread: what else runs on the machine does not count.
private func clockNanoseconds() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
}
