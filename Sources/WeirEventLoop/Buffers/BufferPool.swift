// SPDX-License-Identifier: Apache-2.0
// Byte buffers of a loop, in three sizes, handed out last-in first-out so that the hot one stays in the cache.

/// The head of a pooled buffer; its bytes follow in the same allocation.
package struct BufferHeader {
    /// The next buffer of the queue or free list that this one is in.
    var next: Buffer?
    /// Bytes that fit.
    var capacity: UInt32
    /// First byte that is still of use.
    var start: UInt32
    /// One past the last byte in use.
    var end: UInt32
}

/// A buffer on loan from a `BufferPool`; whoever holds it gives it back exactly once.
package typealias Buffer = UnsafeMutablePointer<BufferHeader>

extension UnsafeMutablePointer<BufferHeader> {
    static var headerByteCount: Int { 32 }

    var bytes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(self) + Self.headerByteCount }
    var count: Int { Int(pointee.end - pointee.start) }
    var free: Int { Int(pointee.capacity - pointee.end) }
}

/// Free lists of buffers of 4 KiB, 16 KiB and one receive, confined to a loop. Larger requests go to the heap and back.
///
/// At most `retainedBytesMax` lie unused in the lists; what comes back beyond that is freed.
package struct BufferPool: ~Copyable {
    private var free: InlineArray<3, Buffer?> = .init(repeating: nil)
    private var retainedBytes = 0
    private var retainedBytesMax: Int
    /// Bytes on loan now, and those that were noted as held elsewhere.
    package private(set) var heldBytes = 0

    /// What it takes from, together with the other loops' pools.
    private var budget: BufferBudget
    /// `budget` again, for where counting its references would cost more than what is done with it.
    private var budgetReference: Unmanaged<BufferBudget>
    /// What the budget knows of `heldBytes`.
    private var toldBytes = 0
    /// What all pools held when the budget was looked at last; and how much this one may hold by that: for full windows,
    /// and at all.
    private var seenBytes = 0
    private var lentHere: Int
    private var mostHere: Int

    /// The sizes of the buffers, with their heads.
    static let smallestByteCount = 4096
    static let middleByteCount = 16384
    static let largestByteCount = EventLoop.receiveBufferCount + Buffer.headerByteCount

    /// The list of the smallest size that holds so many bytes; 3 where none does.
    @inline(__always)
    private static func index(of byteCount: Int) -> Int {
        byteCount <= smallestByteCount ? 0 : byteCount <= middleByteCount ? 1 : byteCount <= largestByteCount ? 2 : 3
    }

    package init(retainedBytesMax: Int = retainedBytesMost) {
        self.retainedBytesMax = retainedBytesMax
        budget = BufferBudget(bytesMax: .max, connectionsMax: 0)
        budgetReference = Unmanaged.passUnretained(budget)
        lentHere = budget.bytesLent
        mostHere = budget.bytesMax
    }

    /// Bounds what is held; before anything is.
    package mutating func setBudget(_ budget: BufferBudget) {
        precondition(heldBytes == 0, "what is held belongs to a budget")
        self.budget = budget
        budgetReference = Unmanaged.passUnretained(budget)
        look(at: budget.heldBytes)
    }

    package static let retainedBytesMost = 4 << 20

    /// Bounds what lies unused from now on.
    package mutating func setRetainedBytesMax(_ bytes: Int) {
        retainedBytesMax = min(Self.retainedBytesMost, bytes)
    }

    // MARK: The budget

    /// Whether all is in use that is lent to whoever comes first.
    package var isShort: Bool { heldBytes >= lentHere }

    /// The longest body that can be held whole.
    package var collectedBytesMax: Int { budgetReference._withUnsafeGuaranteedRef { $0.collectedBytesMax } }

    /// What is left of the budget; `.max` where it has no bound.
    package mutating func room() -> Int {
        settle()
        return budgetReference._withUnsafeGuaranteedRef { $0.bytesMax } == .max ? .max : mostHere - heldBytes
    }

    /// Tells the budget what is held here, and sees what the others hold.
    package mutating func settle() {
        let change = heldBytes - toldBytes
        let all = budgetReference._withUnsafeGuaranteedRef { change == 0 ? $0.heldBytes : $0.note(change) }
        if change == 0, all == seenBytes { return }
        toldBytes = heldBytes
        look(at: all)
    }

    private mutating func look(at all: Int) {
        let (lent, most) = budgetReference._withUnsafeGuaranteedRef { ($0.bytesLent, $0.bytesMax) }
        let others = all - toldBytes
        seenBytes = all
        lentHere = lent - others
        mostHere = most - others
    }

    /// More is held: the others are to know before it is much.
    private mutating func settleIfMuch() {
        let untoldMax = budgetReference._withUnsafeGuaranteedRef { $0.bytesUntoldMax }
        if heldBytes - toldBytes > untoldMax { settle() }
    }

    /// Counts memory that is none of the pool's and is held for a connection all the same.
    package mutating func note(_ change: Int) {
        heldBytes += change
        settleIfMuch()
    }

    deinit { freeUnused() }

    /// Frees the buffers that lie in the lists.
    package mutating func trim() {
        freeUnused()
        free = .init(repeating: nil)
        retainedBytes = 0
    }

    private func freeUnused() {
        for index in 0..<3 {
            var buffer = free[index]
            while let next = buffer {
                buffer = next.pointee.next
                next.deallocateBuffer()
            }
        }
    }

    /// A buffer with room for at least `minimumCount` bytes, empty.
    package mutating func take(_ minimumCount: Int) -> Buffer {
        let needed = minimumCount + Buffer.headerByteCount
        let index = Self.index(of: needed)
        if index < 3, let buffer = free[index] {
            free[index] = buffer.pointee.next
            let size = Int(buffer.pointee.capacity) + Buffer.headerByteCount
            retainedBytes -= size
            heldBytes += size
            buffer.pointee.next = nil
            buffer.pointee.start = 0
            buffer.pointee.end = 0
            return buffer
        }
        let size =
            switch index {
            case 0: Self.smallestByteCount
            case 1: Self.middleByteCount
            case 2: Self.largestByteCount
            default: needed
            }
        heldBytes += size
        // What came from a list was memory of ours before.
        settleIfMuch()
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        let buffer = memory.bindMemory(to: BufferHeader.self, capacity: 1)
        buffer.initialize(
            to: BufferHeader(next: nil, capacity: UInt32(size - Buffer.headerByteCount), start: 0, end: 0)
        )
        return buffer
    }

    /// Takes a buffer back.
    package mutating func give(_ buffer: Buffer) {
        let size = Int(buffer.pointee.capacity) + Buffer.headerByteCount
        heldBytes -= size
        let index = Self.index(of: size)
        guard index < 3, retainedBytes + size <= retainedBytesMax else {
            buffer.deallocateBuffer()
            return
        }
        retainedBytes += size
        buffer.pointee.next = free[index]
        free[index] = buffer
    }
}

extension UnsafeMutablePointer<BufferHeader> {
    fileprivate func deallocateBuffer() {
        UnsafeMutableRawPointer(self).deallocate()
    }
}
