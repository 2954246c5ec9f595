// SPDX-License-Identifier: Apache-2.0
// How a channel ends. Nothing is freed inside a call from the channel: it is reaped at the end of the turn.

import CWeirSystem
import Glibc
import WeirMetrics

extension EventLoop {
    /// After the last byte was sent, the peer has this long to end its side; what it still sends is discarded, so that
    /// the kernel does not reset the connection under an answer that the peer has not read (RFC 9112 section 9.6).
    private static let lingerNanoseconds: Nanoseconds = 2_000_000_000
    private static let lingerBytesMax: UInt32 = 1 << 20

    /// Sends what is queued, then ends the connection in good order. Nothing more is delivered.
    ///
    /// The peer has `writeTimeout` again and again, as long as it acknowledges `bytesPerTimeoutMin` in each (and 1).
    package func finish(_ channel: Channel, writeTimeout: Nanoseconds, bytesPerTimeoutMin: UInt64 = 0) {
        let state = channel.state
        guard state.pointee.phase == .open else { return }
        state.pointee.phase = .finishing
        dropCarry(state)
        state.pointee.finishTimeout = writeTimeout
        state.pointee.finishBytesMin = max(1, bytesPerTimeoutMin)
        if state.pointee.owesDrained { state.pointee.finishAcknowledged = channel.acknowledgedByteCount(on: self) }
        channel.setDeadline(now &+ writeTimeout, on: self)
        if state.pointee.transform != nil { return flush(state) }
        if state.pointee.outputHead == nil { beginLingering(state) }
    }

    /// Ends the connection at once; what is queued is lost.
    package func close(_ channel: Channel, reason: CloseReason = .requested) {
        let state = channel.state
        guard state.pointee.phase != .closed, state.pointee.phase != .free else { return }
        state.pointee.phase = .closed
        if reason != .failed, let transform = state.pointee.transform { tellEnd(state, transform) }
        core.pointee.reaping.append((state.pointee.slot, reason))
    }

    /// The connection is broken. What has come before that is still delivered where it is one that we made: whoever is
    /// asked may answer, and then break off what it does not want to read. A client is beyond being answered.
    func fail(_ state: UnsafeMutablePointer<ChannelState>) {
        guard state.pointee.phase == .open, !state.pointee.hasFailed else {
            if state.pointee.phase != .open { close(Channel(state: state), reason: .failed) }
            return
        }
        guard state.pointee.isOutbound, state.pointee.input == .drained || state.pointee.input == .ready else {
            close(Channel(state: state), reason: .failed)
            return
        }
        state.pointee.hasFailed = true
        state.pointee.isWritable = false
        // Receives go on until the kernel has nothing more, and says so.
        state.pointee.hasPeerEnded = true
        state.pointee.input = .ready
        scheduleReading(state)
    }

    /// A channel that is finishing has had its timeout: it goes on if the peer has taken enough in it.
    func finishTimedOut(_ channel: Channel) {
        let state = channel.state
        let acknowledged = channel.acknowledgedByteCount(on: self)
        let wanted = min(state.pointee.finishBytesMin, UInt64(channel.queuedByteCount))
        guard acknowledged &- state.pointee.finishAcknowledged >= wanted else {
            if !state.pointee.isOutbound { metrics.increment(.timeoutsWrite) }
            close(channel)
            return
        }
        state.pointee.finishAcknowledged = acknowledged
        channel.setDeadline(now &+ state.pointee.finishTimeout, on: self)
    }

    func beginLingering(_ state: UnsafeMutablePointer<ChannelState>) {
        let channel = Channel(state: state)
        if state.pointee.input == .endPending || state.pointee.input == .ended {
            close(channel)
            return
        }
        state.pointee.phase = .lingering
        _ = shutdown(state.pointee.descriptor, Int32(SHUT_WR))
        channel.setDeadline(now &+ Self.lingerNanoseconds, on: self)
        discardInput(state)
    }

    func discardInput(_ state: UnsafeMutablePointer<ChannelState>) {
        while true {
            let result = core.pointee.poller.receive(
                state.pointee.descriptor,
                into: core.pointee.receiveBuffer,
                capacity: Self.receiveBufferCount
            )
            switch result {
            case .bytes(let count):
                state.pointee.lingeredBytes &+= UInt32(count)
                if state.pointee.lingeredBytes > Self.lingerBytesMax {
                    close(Channel(state: state))
                    return
                }
            case .wouldBlock:
                return
            case .end, .failed:
                close(Channel(state: state))
                return
            }
        }
    }

    /// Tells the protocols of the channels that were closed in this turn, and frees them.
    func reap() {
        var index = 0
        while index < core.pointee.reaping.count {
            let (slot, reason) = core.pointee.reaping[index]
            index += 1
            let state = core.pointee.channels.unchecked(slot)
            // Ours first, so that the place among limited connections that the call gives back is really free; a
            // client's after, so that what it sees in the metrics behind the end holds.
            if state.pointee.isOutbound { closeDescriptor(state) }
            state.pointee.events?.pointee.closed(self, Channel(state: state), reason)
            closeDescriptor(state)
            core.pointee.timers.cancel(Channel(state: state).timerNode)
            dropCarry(state)
            while let buffer = state.pointee.outputHead {
                state.pointee.outputHead = buffer.pointee.next
                core.pointee.buffers.give(buffer)
            }
            releaseTransform(state)
            let isOutbound = state.pointee.isOutbound
            if !isOutbound { metrics.increment(.connectionsClosed) }
            core.pointee.channels.give(state)
            channelCountChanged()
            // Behind the counts: whoever finds the place sees them without this one.
            if !isOutbound { acceptPolicy?.givePlace() }
        }
        guard index > 0 else { return }
        core.pointee.reaping.removeAll(keepingCapacity: true)
        resumeAccepting()
    }

    private func closeDescriptor(_ state: UnsafeMutablePointer<ChannelState>) {
        guard state.pointee.descriptor >= 0 else { return }
        _ = Glibc.close(state.pointee.descriptor)
        state.pointee.descriptor = -1
    }

    private func dropCarry(_ state: UnsafeMutablePointer<ChannelState>) {
        if let carry = state.pointee.carry {
            state.pointee.carry = nil
            core.pointee.buffers.give(carry)
        }
    }

    /// Calls `body` with each open channel whose protocol is `events`. On the loop's thread.
    package func forEachChannel(with events: UnsafePointer<ChannelEvents>, _ body: (Channel) -> Void) {
        core.pointee.channels.visitUsed { state in
            if state.pointee.phase == .open, state.pointee.events == events { body(Channel(state: state)) }
        }
    }

    /// For how long a new channel is not taken for idle.
    private static let settlingNanoseconds: Nanoseconds = 100_000_000

    /// Closes the channels that have been idle for the longest time, if descriptors are still short. At the end of a
    /// turn, when its events have told which channels are idle no more.
    ///
    /// - Complexity: O(n log n) in the channels of this loop.
    func closeLongestIdle() {
        core.pointee.shedsIdle = false
        // Another loop's answer to the same need may have been enough.
        guard let (count, clientsOnly) = acceptPolicy?.shedCount(), count > 0 else { return }
        var idle: [(since: Nanoseconds, slot: UInt32)] = []
        let settled = now > Self.settlingNanoseconds ? now - Self.settlingNanoseconds : 0
        core.pointee.channels.visitUsed { state in
            if state.pointee.phase == .open, state.pointee.idleSince <= now,
                !(clientsOnly && state.pointee.isOutbound)
            {
                idle.append((state.pointee.idleSince, state.pointee.slot))
            }
        }
        idle.sort { $0.since < $1.since }
        var closed = 0
        for (_, slot) in idle {
            if closed == count { break }
            let state = core.pointee.channels.unchecked(slot)
            // What has just been accepted is about to ask; what has been idle for less time than that stays, too.
            if state.pointee.isNew, state.pointee.idleSince > settled { break }
            // A request that has come in the meantime is served.
            if core.pointee.poller.hasInput(state.pointee.descriptor) { continue }
            close(Channel(state: state), reason: .shed)
            metrics.increment(.connectionsShed)
            closed += 1
        }
    }
}
