// SPDX-License-Identifier: Apache-2.0
// The receiving half of the contract: bytes are delivered from the loop's own buffer, and kept for the channel only
// while the protocol has not taken them.

import CWeirSystem
import WeirMetrics

extension EventLoop {
    /// Receives in one turn at most this often per channel, so that one fast sender does not hold the others up.
    private static let receivesPerTurnMax = 4

    /// Delivers what has come, until there is nothing, or the protocol pauses or closes. After a pause,
    /// `deliversKept` hands over first what was kept.
    func read(_ state: UnsafeMutablePointer<ChannelState>, deliversKept: Bool) {
        let channel = Channel(state: state)
        if state.pointee.phase != .open {
            if state.pointee.phase == .lingering { discardInput(state) }
            return
        }
        if deliversKept, !state.pointee.isPaused { deliverCarry(channel) }
        var receives = 0
        while state.pointee.input == .ready, !state.pointee.isPaused, state.pointee.phase == .open {
            guard receives < Self.receivesPerTurnMax, receiveOnce(channel) else {
                scheduleReading(state)
                return
            }
            receives += 1
        }
        if state.pointee.input == .endPending, !state.pointee.isPaused, state.pointee.phase == .open {
            state.pointee.input = .ended
            state.pointee.events?.pointee.ended(self, channel)
            if state.pointee.transform != nil { noteStays(state) }
        }
        if state.pointee.hasPeerEnded, state.pointee.isPaused, state.pointee.phase == .open {
            state.pointee.events?.pointee.endedWhilePaused(self, channel)
        }
    }

    /// False where the channel has to wait for its turn. Inlined, and what is for transforms is not: plain channels pay
    /// for one test.
    @inline(__always)
    private func receiveOnce(_ channel: Channel) -> Bool {
        let state = channel.state
        let memory: UnsafeMutableRawPointer
        let capacity: Int
        let transform = state.pointee.transform
        if let transform {
            guard mayReceive(transform, isOutbound: state.pointee.isOutbound) else { return false }
            memory = core.pointee.receiveBuffer
            capacity = core.pointee.buffers.isShort ? Self.smallReceiveCount : Self.receiveBufferCount
        } else if state.pointee.carry != nil {
            let carry = makeRoom(for: Self.receivedBytesMin, in: state)
            memory = carry.bytes + Int(carry.pointee.end)
            capacity = core.pointee.buffers.isShort ? min(carry.free, Self.smallReceiveCount) : carry.free
        } else {
            memory = core.pointee.receiveBuffer
            capacity = core.pointee.buffers.isShort ? Self.smallReceiveCount : Self.receiveBufferCount
        }
        switch core.pointee.poller.receive(state.pointee.descriptor, into: memory, capacity: capacity) {
        case .bytes(let count):
            // A short receive has emptied the socket: the next bytes bring a new event (edge-triggered).
            if count < capacity, !state.pointee.hasPeerEnded { state.pointee.input = .drained }
            if !state.pointee.isOutbound { metrics.add(.receivedBytes, UInt64(count)) }
            if transform != nil {
                deliverTransformed(channel, UnsafeRawBufferPointer(start: memory, count: count))
            } else if let carry = state.pointee.carry {
                carry.pointee.end += UInt32(count)
                deliverCarry(channel)
            } else {
                deliver(channel, UnsafeRawBufferPointer(start: memory, count: count))
            }
        case .wouldBlock where !state.pointee.hasFailed:
            state.pointee.input = .drained
        case .end where !state.pointee.hasFailed && !breaksUntold(state):
            state.pointee.input = .endPending
        case .wouldBlock, .end, .failed:
            close(channel, reason: .failed)
        }
        return true
    }

    /// As `deliver`, behind what is kept.
    func deliverBehindCarry(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        guard channel.state.pointee.carry != nil, let source = bytes.baseAddress else { return deliver(channel, bytes) }
        let carry = makeRoom(for: bytes.count, in: channel.state)
        (carry.bytes + Int(carry.pointee.end)).copyMemory(from: source, byteCount: bytes.count)
        carry.pointee.end += UInt32(bytes.count)
        if !channel.isPaused { deliverCarry(channel) }
    }

    private func deliver(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        guard let events = channel.state.pointee.events else { return }
        let taken = events.pointee.received(self, channel, bytes)
        guard taken < bytes.count, channel.state.pointee.phase == .open else { return }
        let rest = bytes.count - taken
        let carry = core.pointee.buffers.take(max(rest, 2048))
        carry.bytes.copyMemory(from: bytes.baseAddress.unsafelyUnwrapped + taken, byteCount: rest)
        carry.pointee.end = UInt32(rest)
        channel.state.pointee.carry = carry
    }

    private func deliverCarry(_ channel: Channel) {
        let state = channel.state
        guard let carry = state.pointee.carry, let events = state.pointee.events else { return }
        let bytes = UnsafeRawBufferPointer(start: carry.bytes + Int(carry.pointee.start), count: carry.count)
        let taken = events.pointee.received(self, channel, bytes)
        // The call may have closed the channel, which gives the carry back.
        guard state.pointee.carry == carry else { return }
        carry.pointee.start += UInt32(taken)
        if carry.count == 0 {
            state.pointee.carry = nil
            core.pointee.buffers.give(carry)
        }
    }

    /// Room behind kept bytes below which a receive is not worth its call: what is kept of a head that is read whatever
    /// else is held stays in the smallest buffer with it.
    private static let receivedBytesMin = smallOutputBufferCount - BufferBudget.smallPieceBytes

    /// Makes sure that the kept bytes' buffer has room behind them: moves them to its front, or to a larger one.
    private func makeRoom(for room: Int, in state: UnsafeMutablePointer<ChannelState>) -> Buffer {
        guard let carry = state.pointee.carry else { preconditionFailure("no kept bytes") }
        if carry.free >= room { return carry }
        let count = carry.count
        if carry.pointee.start > 0, Int(carry.pointee.capacity) - count >= room {
            carry.bytes.copyMemory(from: carry.bytes + Int(carry.pointee.start), byteCount: count)
            carry.pointee.start = 0
            carry.pointee.end = UInt32(count)
            return carry
        }
        let larger = core.pointee.buffers.take(max(count * 2, count + room))
        larger.bytes.copyMemory(from: carry.bytes + Int(carry.pointee.start), byteCount: count)
        larger.pointee.end = UInt32(count)
        core.pointee.buffers.give(carry)
        state.pointee.carry = larger
        return larger
    }

    /// Puts a channel on the list that is read at the end of the turn.
    func scheduleReading(_ state: UnsafeMutablePointer<ChannelState>) {
        guard !state.pointee.isScheduled else { return }
        state.pointee.isScheduled = true
        core.pointee.scheduled.append(state.pointee.slot)
    }

    /// Reads the channels that were put on the list; those that put themselves on it again wait for the next turn.
    func readScheduled() {
        guard !core.pointee.scheduled.isEmpty else { return }
        swap(&core.pointee.scheduled, &core.pointee.reading)
        core.pointee.isReadingScheduled = true
        core.pointee.handshakesLeft = handshakesPerTurn
        core.pointee.outboundHandshakesLeft = handshakesPerTurn
        defer {
            core.pointee.isReadingScheduled = false
            core.pointee.handshakesLeft = 0
            core.pointee.outboundHandshakesLeft = 0
        }
        var index = 0
        while index < core.pointee.reading.count {
            let state = core.pointee.channels.unchecked(core.pointee.reading[index])
            index += 1
            // A slot that was freed since has lost the mark.
            guard state.pointee.isScheduled else { continue }
            state.pointee.isScheduled = false
            runJobs(of: {
                read(state, deliversKept: true)
                flush(state)
            })
        }
        core.pointee.reading.removeAll(keepingCapacity: true)
    }
}
