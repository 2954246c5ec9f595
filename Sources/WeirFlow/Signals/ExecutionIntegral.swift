// SPDX-License-Identifier: Apache-2.0
// How many requests of one loop execute, and the integral of that over time. Written by the loop's thread only, read
// by any thread at any time.

internal import Synchronization

/// What ``ExecutionIntegral`` stood at, at one instant: all of it belongs together.
package struct ExecutionSnapshot: Sendable, Equatable {
    package let executing: Int

    /// The integral of ``executing`` over time until ``instant``. Its rate over any interval is the exact mean
    /// concurrency in it, whatever happened between two readings. It wraps round after 584 years of one request.
    package let requestNanoseconds: UInt64

    package let completions: UInt64

    /// The time that those which are complete have taken. What is left of ``requestNanoseconds`` is the age of those
    /// that execute.
    package let completedNanoseconds: UInt64

    package let instant: Nanoseconds

    /// ``requestNanoseconds`` in seconds.
    package var seconds: Double { Double(requestNanoseconds) / 1e9 }

    package init(
        executing: Int,
        requestNanoseconds: UInt64,
        completions: UInt64,
        completedNanoseconds: UInt64,
        instant: Nanoseconds
    ) {
        self.executing = executing
        self.requestNanoseconds = requestNanoseconds
        self.completions = completions
        self.completedNanoseconds = completedNanoseconds
        self.instant = instant
    }

    /// Where nothing has executed yet.
    package static func nothing(at instant: Nanoseconds) -> ExecutionSnapshot {
        ExecutionSnapshot(
            executing: 0,
            requestNanoseconds: 0,
            completions: 0,
            completedNanoseconds: 0,
            instant: instant
        )
    }

    /// Two loops together, at the later instant of both.
    package static func + (one: ExecutionSnapshot, other: ExecutionSnapshot) -> ExecutionSnapshot {
        ExecutionSnapshot(
            executing: one.executing + other.executing,
            requestNanoseconds: one.requestNanoseconds &+ other.requestNanoseconds,
            completions: one.completions &+ other.completions,
            completedNanoseconds: one.completedNanoseconds &+ other.completedNanoseconds,
            instant: max(one.instant, other.instant)
        )
    }
}

/// Counts what executes, and adds it up over time.
///
/// A seqlock of one writer. `version` is odd while the writer changes the values. They are stored with release and
/// loaded with acquire: who reads a value of a change also sees that change's odd version, or a later one, when it
/// looks again, and reads anew. On x86-64 all of it is plain stores and loads.
package struct ExecutionIntegral: ~Copyable, Sendable {
    private let version = Atomic<UInt64>(0)
    private let executing = Atomic<Int>(0)
    private let requestNanoseconds = Atomic<UInt64>(0)
    private let completions = Atomic<UInt64>(0)
    private let completedNanoseconds = Atomic<UInt64>(0)
    private let changed: Atomic<Nanoseconds>

    /// The furthest that a reader was told. Written by readers.
    private let published = Atomic<UInt64>(0)

    package init(now: Nanoseconds) {
        changed = Atomic(now)
    }

    /// One more executes. Writer's thread only.
    @inline(__always)
    package func begin(now: Nanoseconds) {
        let version = open(now: now, change: 1)
        close(version)
    }

    /// One that began at `begun` executes no more. Writer's thread only.
    @inline(__always)
    package func end(begun: Nanoseconds, now: Nanoseconds) {
        let version = open(now: now, change: -1)
        let took = max(now, begun) &- begun
        // Releases: as in `open`.
        completions.store(completions.load(ordering: .relaxed) &+ 1, ordering: .releasing)
        completedNanoseconds.store(completedNanoseconds.load(ordering: .relaxed) &+ took, ordering: .releasing)
        close(version)
    }

    /// Makes the version odd, and brings the integral up to now.
    @inline(__always)
    private func open(now: Nanoseconds, change: Int) -> UInt64 {
        // Relaxed loads: nobody else writes these.
        let version = version.load(ordering: .relaxed)
        let count = executing.load(ordering: .relaxed)
        let last = changed.load(ordering: .relaxed)
        assert(count + change >= 0, "what ends has begun")
        // A loop that reads its clock once a turn may bring an instant that it had already.
        let instant = max(now, last)
        let since = UInt64(bitPattern: Int64(count)) &* (instant &- last)
        // Relaxed: the releases below keep it before them.
        self.version.store(version &+ 1, ordering: .relaxed)
        // Each pairs with its acquire in `read`.
        executing.store(count &+ change, ordering: .releasing)
        requestNanoseconds.store(requestNanoseconds.load(ordering: .relaxed) &+ since, ordering: .releasing)
        changed.store(instant, ordering: .releasing)
        return version
    }

    @inline(__always)
    private func close(_ version: UInt64) {
        // Pairs with the acquire of `version` in `read`.
        self.version.store(version &+ 2, ordering: .releasing)
    }

    /// Where it stands at `now`. Any thread; a reader that meets a change reads again.
    ///
    /// The integral that readers are told never steps back, though a loop may bring an earlier instant afterwards.
    package func snapshot(now: Nanoseconds) -> ExecutionSnapshot {
        let last = read()
        let instant = max(now, last.instant)
        let since = UInt64(bitPattern: Int64(last.executing)) &* (instant &- last.instant)
        return ExecutionSnapshot(
            executing: last.executing,
            requestNanoseconds: publish(last.requestNanoseconds &+ since),
            completions: last.completions,
            completedNanoseconds: last.completedNanoseconds,
            instant: instant
        )
    }

    private func read() -> ExecutionSnapshot {
        while true {
            // Pairs with the release in `close`: all values of that change, or of later ones.
            let before = version.load(ordering: .acquiring)
            // Each pairs with its release in the writer, and keeps the second look at `version` behind it.
            let snapshot = ExecutionSnapshot(
                executing: executing.load(ordering: .acquiring),
                requestNanoseconds: requestNanoseconds.load(ordering: .acquiring),
                completions: completions.load(ordering: .acquiring),
                completedNanoseconds: completedNanoseconds.load(ordering: .acquiring),
                instant: changed.load(ordering: .acquiring)
            )
            if before & 1 == 0 && version.load(ordering: .relaxed) == before { return snapshot }
        }
    }

    /// The value, or what was told already if that is further on; by distance, as the integral may wrap round.
    private func publish(_ value: UInt64) -> UInt64 {
        // Relaxed: the value alone is what readers share.
        var told = published.load(ordering: .relaxed)
        while Int64(bitPattern: value &- told) > 0 {
            let result = published.weakCompareExchange(expected: told, desired: value, ordering: .relaxed)
            if result.exchanged { return value }
            told = result.original
        }
        return told
    }
}
