// SPDX-License-Identifier: Apache-2.0
// A hierarchical timer wheel (Varghese and Lauck, 1987): arming, cancelling and firing are O(1), whatever the number
// of timers. Pure: ticks are the caller's; a loop uses one tick per millisecond.

/// Five levels of 64 slots; a node waits in the lowest level whose slot tells its due tick from the present one.
///
/// A node never fires before its tick. Due times more than 64⁵ − 1 ticks away are cut to that (12 days at 1 ms).
package struct TimerWheel: ~Copyable {
    private static let levelCount = 5
    private static let slotBits: UInt64 = 6
    private static let slotCount = 64
    private static let spanTicks: UInt64 = 1 << 30

    /// Sentinels of the slots' rings, level by level, then the one of the nodes that are due.
    private let sentinels: UnsafeMutablePointer<TimerNode>
    /// Per level, a bit for each slot that holds a node.
    private var occupied: InlineArray<5, UInt64> = .init(repeating: 0)
    private var presentTick: UInt64
    /// Before this tick `advance` has nothing to do, so that a turn of a loop costs one comparison. Never late; early
    /// after a cancellation.
    package private(set) var idleUntilTick: UInt64 = .max
    package private(set) var armedCount = 0

    package init(tick: UInt64) {
        presentTick = tick
        let count = Self.levelCount * Self.slotCount + 1
        sentinels = .allocate(capacity: count)
        for index in 0..<count {
            (sentinels + index).initialize(to: TimerNode())
            sentinels[index].next = sentinels + index
            sentinels[index].previous = sentinels + index
        }
    }

    deinit {
        sentinels.deallocate()
    }

    private var dueSentinel: UnsafeMutablePointer<TimerNode> { sentinels + Self.levelCount * Self.slotCount }

    /// Arms `node`, or moves it if it is armed.
    package mutating func schedule(_ node: UnsafeMutablePointer<TimerNode>, at tick: UInt64) {
        if node.pointee.isArmed { cancel(node) }
        node.pointee.dueTick = min(max(tick, presentTick + 1), presentTick + Self.spanTicks - 1)
        armedCount += 1
        place(node)
        if node.pointee.dueTick < idleUntilTick { idleUntilTick = node.pointee.dueTick }
    }

    /// Disarms `node`; harmless if it is not armed. A node that is due and not yet taken is taken back.
    package mutating func cancel(_ node: UnsafeMutablePointer<TimerNode>) {
        guard let next = node.pointee.next, let previous = node.pointee.previous else { return }
        next.pointee.previous = previous
        previous.pointee.next = next
        node.pointee.next = nil
        node.pointee.previous = nil
        armedCount -= 1
        if next == previous { noteEmpty(next) }
    }

    /// Clears the bit of a slot whose ring has only its sentinel left.
    private mutating func noteEmpty(_ sentinel: UnsafeMutablePointer<TimerNode>) {
        let index = sentinel - sentinels
        guard index >= 0, index < Self.levelCount * Self.slotCount, sentinel.pointee.next == sentinel else { return }
        occupied[index / Self.slotCount] &= ~(1 << UInt64(index % Self.slotCount))
    }

    /// Moves the wheel on; nodes that fall due are then handed out by `takeDue`.
    package mutating func advance(to tick: UInt64) {
        guard tick > presentTick else { return }
        while let (level, slot, slotTick) = nextOccupied(), slotTick <= tick {
            presentTick = slotTick
            occupied[level] &= ~(1 << UInt64(slot))
            let sentinel = sentinels + (level * Self.slotCount + slot)
            while let node = sentinel.pointee.next, node != sentinel {
                unlink(node)
                if node.pointee.dueTick <= presentTick {
                    append(node, to: dueSentinel)
                } else {
                    place(node)
                }
            }
        }
        presentTick = tick
        idleUntilTick = nextTick ?? .max
    }

    /// The next node that is due, disarmed; nil when there is none.
    package mutating func takeDue() -> UnsafeMutablePointer<TimerNode>? {
        guard let node = dueSentinel.pointee.next, node != dueSentinel else {
            idleUntilTick = nextTick ?? .max
            return nil
        }
        cancel(node)
        return node
    }

    /// The earliest tick at which `advance` may have something to do; nil when nothing is armed. Never late, and early
    /// only for nodes of the upper levels.
    package var nextTick: UInt64? {
        if let due = dueSentinel.pointee.next, due != dueSentinel { return presentTick }
        return armedCount == 0 ? nil : nextOccupied()?.tick
    }

    private mutating func place(_ node: UnsafeMutablePointer<TimerNode>) {
        let due = node.pointee.dueTick
        if due == presentTick {
            append(node, to: dueSentinel)
            return
        }
        // The highest bit in which the due tick differs from the present one says the level.
        let highestBit = UInt64(63 - (due ^ presentTick).leadingZeroBitCount)
        let level = min(Int(highestBit / Self.slotBits), Self.levelCount - 1)
        let slot = Int((due >> (UInt64(level) * Self.slotBits)) & 63)
        occupied[level] |= 1 << UInt64(slot)
        append(node, to: sentinels + (level * Self.slotCount + slot))
    }

    private func nextOccupied() -> (level: Int, slot: Int, tick: UInt64)? {
        var level = 0
        while level < Self.levelCount {
            let bits = occupied[level]
            if bits != 0 {
                let shift = UInt64(level) * Self.slotBits
                let presentSlot = (presentTick >> shift) & 63
                // Counted from the slot behind the present one: only the top level wraps round, and there the present
                // slot is the farthest.
                let first = (presentSlot + 1) & 63
                let rotated = bits >> first | (first == 0 ? 0 : bits << (64 - first))
                let distance = UInt64(rotated.trailingZeroBitCount) + 1
                let slot = (presentSlot + distance) & 63
                return (level, Int(slot), ((presentTick >> shift) + distance) << shift)
            }
            level += 1
        }
        return nil
    }

    private func append(_ node: UnsafeMutablePointer<TimerNode>, to sentinel: UnsafeMutablePointer<TimerNode>) {
        let last = sentinel.pointee.previous ?? sentinel
        node.pointee.next = sentinel
        node.pointee.previous = last
        last.pointee.next = node
        sentinel.pointee.previous = node
    }

    private func unlink(_ node: UnsafeMutablePointer<TimerNode>) {
        guard let next = node.pointee.next, let previous = node.pointee.previous else { return }
        next.pointee.previous = previous
        previous.pointee.next = next
    }
}
