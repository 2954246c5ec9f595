// SPDX-License-Identifier: Apache-2.0
// The records of one loop on their way to the log's thread. One thread produces, one consumes.

import Synchronization

/// A bounded queue of byte records between two threads: no lock, no allocation, nobody waits.
///
/// Positions count bytes since the start and never wrap; a position's place in memory is its remainder by the capacity,
/// a power of two. Each record lies in one piece behind a word with its length; a length of 0 says that the rest of the
/// memory up to its end is skipped. The protocol:
///
/// 1. The producer writes records behind `tail`, then stores `tail` (release). The consumer loads it (acquire) and reads
///    what lies before it.
/// 2. The consumer stores `head` (release) when it has read what lies before it. The producer loads it (acquire) before
///    it writes over that memory, and only when the head it saw last leaves no room.
/// 3. Above half, the producer calls ``LogWake/wake()`` once, until it has seen the ring below half again.
///
/// `@unchecked Sendable`: each field behind a pointer is one side's, or an atomic; memory between head and tail is the
/// consumer's, the rest the producer's.
package final class AccessRing: @unchecked Sendable {
    /// The smallest capacity in bytes, and the longest record: two of the longest always fit, wherever the end is.
    package static let capacityMin = 4096
    package static let recordBytesMax = 1024

    private static let wordBytes = 8
    /// Where each part lies in `control`. The sides are apart far enough that neither's stores take the other's cache
    /// line away, nor its neighbour that is fetched along.
    private enum Place {
        static let committed = 0
        static let producer = 64
        static let head = 128
        static let consumer = 192
        static let byteCount = 256
    }

    /// Bytes that the ring holds.
    package let capacity: Int
    private let memory: UnsafeMutableRawPointer
    private let wake: LogWake
    private let control: UnsafeMutableRawPointer
    // What both sides see, and what each keeps for itself: apart, because changing a field is an access to its whole
    // structure.
    private let committed: UnsafeMutablePointer<Committed>
    private let head: UnsafeMutablePointer<Atomic<Int>>
    private let producer: UnsafeMutablePointer<Producer>
    private let consumer: UnsafeMutablePointer<Consumer>

    /// Stored by the producer alone.
    private struct Committed: ~Copyable {
        let tail = Atomic<Int>(0)
        /// Relaxed: a statistic that publishes nothing.
        let dropped = Atomic<UInt64>(0)
    }

    private struct Producer {
        /// The tail, and what it will be after the record at hand.
        var position = 0
        var reserved = 0
        var seenHead = 0
        var hasWoken = false
    }

    private struct Consumer {
        var position = 0
        var seenTail = 0
    }

    /// - Parameter capacity: bytes; rounded up to a power of two that is not below ``capacityMin``.
    package init(capacity: Int, wake: LogWake) {
        precondition(capacity <= 1 << 40, "a ring of this size is a mistake")
        var rounded = Self.capacityMin
        while rounded < capacity { rounded <<= 1 }
        self.capacity = rounded
        self.wake = wake
        memory = .allocate(byteCount: rounded, alignment: 64)
        control = .allocate(byteCount: Place.byteCount, alignment: 128)
        committed = (control + Place.committed).bindMemory(to: Committed.self, capacity: 1)
        committed.initialize(to: Committed())
        producer = (control + Place.producer).bindMemory(to: Producer.self, capacity: 1)
        producer.initialize(to: Producer())
        head = (control + Place.head).bindMemory(to: Atomic<Int>.self, capacity: 1)
        head.initialize(to: Atomic(0))
        consumer = (control + Place.consumer).bindMemory(to: Consumer.self, capacity: 1)
        consumer.initialize(to: Consumer())
    }

    deinit {
        committed.deinitialize(count: 1)
        producer.deinitialize(count: 1)
        head.deinitialize(count: 1)
        consumer.deinitialize(count: 1)
        control.deallocate()
        memory.deallocate()
    }

    // MARK: The producer's

    /// Memory for a record, aligned to 8 bytes, until ``commit()``; nil, with the record counted as dropped, if there is
    /// no room.
    ///
    /// - Parameter byteCount: 1 to ``recordBytesMax``.
    package func reserve(_ byteCount: Int) -> UnsafeMutableRawPointer? {
        precondition(byteCount > 0 && byteCount <= Self.recordBytesMax, "a record of this length is a mistake")
        let size = Self.wordBytes &+ (byteCount &+ 7) & ~7
        let position = producer.pointee.position
        let place = position & (capacity &- 1)
        let isWhole = size <= capacity &- place
        let start = isWhole ? position : position &+ (capacity &- place)
        if start &+ size &- producer.pointee.seenHead > capacity {
            // Pairs with the release in `release`.
            producer.pointee.seenHead = head.pointee.load(ordering: .acquiring)
            guard start &+ size &- producer.pointee.seenHead <= capacity else {
                drop()
                return nil
            }
        }
        // In bounds: a place lies before the end by at least one word, as all sizes are multiples of it.
        if !isWhole { memory.storeBytes(of: 0, toByteOffset: place, as: Int.self) }
        let record = memory + start & (capacity &- 1)
        record.storeBytes(of: byteCount, as: Int.self)
        producer.pointee.reserved = start &+ size
        return record + Self.wordBytes
    }

    /// Hands over the record whose memory was reserved last.
    package func commit() {
        let position = producer.pointee.reserved
        producer.pointee.position = position
        // Pairs with the acquire in `look`.
        committed.pointee.tail.store(position, ordering: .releasing)
        if position &- producer.pointee.seenHead >= capacity &>> 1 { wakeConsumer(position) }
    }

    @inline(never)
    private func wakeConsumer(_ position: Int) {
        producer.pointee.seenHead = head.pointee.load(ordering: .acquiring)
        let isHalfFull = position &- producer.pointee.seenHead >= capacity &>> 1
        if isHalfFull, !producer.pointee.hasWoken { wake.wake() }
        producer.pointee.hasWoken = isHalfFull
    }

    @inline(never)
    private func drop() {
        committed.pointee.dropped.store(
            committed.pointee.dropped.load(ordering: .relaxed) &+ 1,
            ordering: .relaxed
        )
    }

    // MARK: Anybody's

    /// Records that found no room since the start.
    package var droppedCount: UInt64 { committed.pointee.dropped.load(ordering: .relaxed) }

    // MARK: The consumer's

    /// Takes notice of what has been committed until now.
    package func look() {
        // Pairs with the release in `commit`.
        consumer.pointee.seenTail = committed.pointee.tail.load(ordering: .acquiring)
    }

    /// The next of the records that ``look()`` saw, readable until ``release()``.
    package func next() -> UnsafeRawBufferPointer? {
        let mask = capacity &- 1
        while consumer.pointee.position != consumer.pointee.seenTail {
            let place = consumer.pointee.position & mask
            let byteCount = memory.load(fromByteOffset: place, as: Int.self)
            if byteCount == 0 {
                consumer.pointee.position &+= capacity &- place
                continue
            }
            consumer.pointee.position &+= Self.wordBytes &+ (byteCount &+ 7) & ~7
            return UnsafeRawBufferPointer(start: memory + place + Self.wordBytes, count: byteCount)
        }
        return nil
    }

    /// Gives the memory of the records that were taken back to the producer.
    package func release() {
        // Pairs with the acquires in `reserve` and `wakeConsumer`.
        head.pointee.store(consumer.pointee.position, ordering: .releasing)
    }

    /// Whether at least half of the ring waits for the consumer.
    package var isHalfFull: Bool {
        committed.pointee.tail.load(ordering: .relaxed) &- consumer.pointee.position >= capacity &>> 1
    }
}
