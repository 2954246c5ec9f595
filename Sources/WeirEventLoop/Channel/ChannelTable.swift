// SPDX-License-Identifier: Apache-2.0
// The slots of a loop's channels: chunks that never move, a free list, generations.

/// Grows by 256 slots at a time up to `capacity`; slots are reused last-in first-out.
struct ChannelTable: ~Copyable {
    private static let chunkCount = 256

    private var chunks: [UnsafeMutablePointer<ChannelState>] = []
    private var firstFree: UInt32 = .max
    private(set) var openCount = 0
    /// How many of them we connected.
    var outboundCount = 0

    deinit {
        for chunk in chunks { chunk.deallocate() }
    }

    mutating func take() -> UnsafeMutablePointer<ChannelState> {
        if firstFree == .max { grow() }
        let state = unchecked(firstFree)
        firstFree = state.pointee.nextSlot
        state.pointee.nextSlot = .max
        openCount += 1
        return state
    }

    mutating func give(_ state: UnsafeMutablePointer<ChannelState>) {
        let generation = state.pointee.generation &+ 1
        let slot = state.pointee.slot
        if state.pointee.isOutbound { outboundCount -= 1 }
        state.pointee = ChannelState(slot: slot)
        // 24 bits travel in the poller's token.
        state.pointee.generation = generation & 0xFF_FFFF
        state.pointee.nextSlot = firstFree
        firstFree = slot
        openCount -= 1
    }

    /// The slot's state if it still is what the generation says, else nil.
    func find(slot: UInt32, generation: UInt32) -> UnsafeMutablePointer<ChannelState>? {
        guard Int(slot) < chunks.count * Self.chunkCount else { return nil }
        let state = unchecked(slot)
        guard state.pointee.generation == generation, state.pointee.phase != .free else { return nil }
        return state
    }

    func unchecked(_ slot: UInt32) -> UnsafeMutablePointer<ChannelState> {
        chunks[Int(slot) / Self.chunkCount] + Int(slot) % Self.chunkCount
    }

    /// Calls `body` with each slot that is in use.
    func visitUsed(_ body: (UnsafeMutablePointer<ChannelState>) -> Void) {
        for chunk in chunks {
            for index in 0..<Self.chunkCount where chunk[index].phase != .free {
                body(chunk + index)
            }
        }
    }

    private mutating func grow() {
        let chunk = UnsafeMutablePointer<ChannelState>.allocate(capacity: Self.chunkCount)
        let base = UInt32(chunks.count * Self.chunkCount)
        chunks.append(chunk)
        for index in (0..<Self.chunkCount).reversed() {
            (chunk + index).initialize(to: ChannelState(slot: base + UInt32(index)))
            chunk[index].nextSlot = firstFree
            firstFree = base + UInt32(index)
        }
    }
}
