// SPDX-License-Identifier: Apache-2.0
// The sending half of the contract: output is written into pooled buffers that the channel gives up when the kernel
// has taken them, and goes out once per event.

import CWeirSystem
import Glibc
import WeirMetrics

extension EventLoop {
    /// Room for at least `minimumCount` bytes at the end of the channel's output; write there, then `commit`.
    ///
    /// The memory is valid until the next call for this channel.
    package func reserveOutput(_ channel: Channel, _ minimumCount: Int) -> UnsafeMutableRawBufferPointer {
        let state = channel.state
        if let tail = state.pointee.outputTail, tail.free >= minimumCount {
            return UnsafeMutableRawBufferPointer(start: tail.bytes + Int(tail.pointee.end), count: tail.free)
        }
        let usual = core.pointee.buffers.isShort ? Self.smallOutputBufferCount : Self.outputBufferCount
        let buffer = core.pointee.buffers.take(max(minimumCount, usual))
        if let tail = state.pointee.outputTail {
            tail.pointee.next = buffer
        } else {
            state.pointee.outputHead = buffer
        }
        state.pointee.outputTail = buffer
        return UnsafeMutableRawBufferPointer(start: buffer.bytes, count: buffer.free)
    }

    /// Whether a channel's output fills a window of so many bytes, which is smaller where buffers are short.
    package func isOutputFull(_ channel: Channel, _ window: Int) -> Bool {
        let queued = channel.queuedByteCount
        return queued >= window || queued > 0 && core.pointee.buffers.isShort
    }

    /// Makes the first `count` bytes of the reserved memory part of the output.
    package func commitOutput(_ channel: Channel, _ count: Int) {
        guard let tail = channel.state.pointee.outputTail else { return }
        precondition(count <= tail.free, "more was committed than reserved")
        tail.pointee.end += UInt32(count)
        channel.state.pointee.queuedBytes += count
    }

    /// Takes back what was committed behind `position`, a former `Channel.outputPosition`; false, and nothing done, where
    /// some of it has gone to the kernel.
    package func takeBackOutput(_ channel: Channel, to position: UInt64) -> Bool {
        let state = channel.state
        guard state.pointee.sentBytes <= position else { return false }
        var kept = Int(position - state.pointee.sentBytes)
        state.pointee.queuedBytes = kept
        var next = state.pointee.outputHead
        while let buffer = next {
            let count = min(kept, buffer.count)
            // An empty buffer is passed over when the output is sent.
            buffer.pointee.end = buffer.pointee.start + UInt32(count)
            kept -= count
            next = buffer.pointee.next
        }
        return true
    }

    /// Copies `bytes` to the end of the output.
    package func send(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        var rest = bytes
        while let base = rest.baseAddress, !rest.isEmpty {
            let room = reserveOutput(channel, 1)
            let count = min(room.count, rest.count)
            guard let target = room.baseAddress else { return }
            target.copyMemory(from: base, byteCount: count)
            commitOutput(channel, count)
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
    }

    /// As `send`, but bytes that are many go to the kernel without being copied first, as far as it takes them now. What
    /// was queued before goes out in the same call ahead of them, so this is for bodies.
    ///
    /// - Parameter behind: a few bytes that follow them.
    package func sendThrough(_ channel: Channel, _ bytes: UnsafeRawBufferPointer, behind: StaticString = "") {
        let state = channel.state
        let behind = UnsafeRawBufferPointer(start: behind.utf8Start, count: behind.utf8CodeUnitCount)
        func queue(from sent: Int) {
            // In bounds: what was sent is not more than what was given.
            let ofBytes = min(sent, bytes.count)
            send(channel, UnsafeRawBufferPointer(rebasing: bytes[ofBytes...]))
            send(channel, UnsafeRawBufferPointer(rebasing: behind[(sent - ofBytes)...]))
        }
        guard bytes.count > Self.copiedBytesMax, state.pointee.transform == nil else { return queue(from: 0) }
        // One buffer goes along; where there are more, they go first.
        if state.pointee.outputHead?.pointee.next != nil { flush(state, hasMore: true) }
        guard state.pointee.isWritable, state.pointee.phase == .open else { return queue(from: 0) }
        let queued = state.pointee.outputHead
        let before = UnsafeRawBufferPointer(
            start: queued.map { $0.bytes + Int($0.pointee.start) },
            count: queued.map(\.count) ?? 0
        )
        switch core.pointee.poller.send(state.pointee.descriptor, before, bytes, behind) {
        case .bytes(let sent):
            noteSent(state, sent)
            if let queued { drop(min(sent, before.count), of: queued, in: state) }
            guard sent < before.count + bytes.count + behind.count else { return }
            queue(from: max(0, sent - before.count))
            noteBlocked(state)
        case .wouldBlock, .end:
            queue(from: 0)
            noteBlocked(state)
        case .failed:
            fail(state)
        }
    }

    /// The first bytes of the output's only buffer have been sent.
    private func drop(_ count: Int, of buffer: Buffer, in state: UnsafeMutablePointer<ChannelState>) {
        state.pointee.queuedBytes -= count
        buffer.pointee.start += UInt32(count)
        guard buffer.count == 0 else { return }
        state.pointee.outputHead = nil
        state.pointee.outputTail = nil
        core.pointee.buffers.give(buffer)
    }

    /// Up to this many bytes one copy, so that they go out with what else the turn queues, costs less than a call of their
    /// own.
    private static let copiedBytesMax = 8 << 10

    /// Ends our side when what is queued has been sent; receiving goes on.
    package func endOutput(_ channel: Channel) {
        let state = channel.state
        guard state.pointee.phase == .open, !state.pointee.endsOutput else { return }
        state.pointee.endsOutput = true
        if state.pointee.transform != nil { return flush(state) }
        if state.pointee.outputHead == nil { shutdownOutput(state) }
    }

    /// Whether our side has ended or is about to.
    package func hasEndedOutput(_ channel: Channel) -> Bool { channel.state.pointee.endsOutput }

    func shutdownOutput(_ state: UnsafeMutablePointer<ChannelState>) {
        if !state.pointee.isConnecting { _ = shutdown(state.pointee.descriptor, Int32(SHUT_WR)) }
    }

    private func noteSent(_ state: UnsafeMutablePointer<ChannelState>, _ count: Int) {
        if !state.pointee.isOutbound { metrics.add(.sentBytes, UInt64(count)) }
        state.pointee.sentBytes += UInt64(count)
    }

    /// Sends the output of a channel outside of one of its own events.
    package func flush(_ channel: Channel) {
        flush(channel.state)
    }

    /// Sends the output at the end of this turn, in one call with what else is queued until then: for what is written
    /// piece by piece, or by many.
    package func flushAtTurnEnd(_ channel: Channel) {
        if channel.isOpen { scheduleReading(channel.state) }
    }

    /// Gives the output to the kernel as far as it takes it, and ends a channel that was only waiting for that.
    ///
    /// - Parameter hasMore: more bytes follow at once, so that a packet that is not full waits for them.
    func flush(_ state: UnsafeMutablePointer<ChannelState>, hasMore: Bool = false) {
        guard state.pointee.phase == .open || state.pointee.phase == .finishing else { return }
        if let transform = state.pointee.transform {
            if flushTransformed(state, transform) { flushed(state) }
            return
        }
        while state.pointee.isWritable, let buffer = state.pointee.outputHead {
            let count = buffer.count
            if count > 0 {
                let result = core.pointee.poller.send(
                    state.pointee.descriptor,
                    buffer.bytes + Int(buffer.pointee.start),
                    count: count,
                    hasMore: hasMore || buffer.pointee.next.map { $0.count > 0 } ?? false
                )
                switch result {
                case .bytes(let sent):
                    noteSent(state, sent)
                    state.pointee.queuedBytes -= sent
                    buffer.pointee.start += UInt32(sent)
                    if sent < count { return noteBlocked(state) }
                case .wouldBlock, .end:
                    return noteBlocked(state)
                case .failed:
                    return fail(state)
                }
            }
            state.pointee.outputHead = buffer.pointee.next
            if buffer.pointee.next == nil { state.pointee.outputTail = nil }
            core.pointee.buffers.give(buffer)
        }
        if state.pointee.outputHead == nil { flushed(state) }
    }

    /// All output has gone to the kernel.
    @inline(__always)
    private func flushed(_ state: UnsafeMutablePointer<ChannelState>) {
        if state.pointee.phase == .finishing {
            beginLingering(state)
            return
        }
        if state.pointee.endsOutput { shutdownOutput(state) }
        if state.pointee.owesDrained {
            state.pointee.owesDrained = false
            state.pointee.events?.pointee.drained(self, Channel(state: state))
            if state.pointee.queuedBytes > 0 { flush(state) }
        }
    }

    func noteBlocked(_ state: UnsafeMutablePointer<ChannelState>) {
        state.pointee.isWritable = false
        guard !state.pointee.owesDrained, state.pointee.phase == .open else { return }
        state.pointee.owesDrained = true
        state.pointee.events?.pointee.blocked(self, Channel(state: state))
    }
}
