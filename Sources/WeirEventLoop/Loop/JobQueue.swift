// SPDX-License-Identifier: Apache-2.0
// The jobs that Swift's concurrency runtime gave to a loop from its own thread: a ring that grows and stays.

/// First in, first out; confined to the loop's thread; allocates only when it grows.
struct JobQueue: ~Copyable {
    private var ring: UnsafeMutablePointer<UnownedJob>
    private var capacity = 64
    private var head = 0
    private(set) var count = 0

    init() {
        ring = .allocate(capacity: capacity)
    }

    deinit {
        ring.deallocate()
    }

    mutating func push(_ job: UnownedJob) {
        if count == capacity { grow() }
        (ring + ((head + count) & (capacity - 1))).initialize(to: job)
        count += 1
    }

    mutating func pop() -> UnownedJob? {
        guard count > 0 else { return nil }
        let job = ring[head]
        head = (head + 1) & (capacity - 1)
        count -= 1
        return job
    }

    private mutating func grow() {
        let larger = UnsafeMutablePointer<UnownedJob>.allocate(capacity: capacity * 2)
        for index in 0..<count { (larger + index).initialize(to: ring[(head + index) & (capacity - 1)]) }
        ring.deallocate()
        ring = larger
        capacity *= 2
        head = 0
    }
}
