// SPDX-License-Identifier: Apache-2.0
// Channels with a transform: what is received passes it before it is delivered, and what is sent before it goes out. All
// else (pause, carry, windows, ends) is as on plain channels.

import CWeirSystem
import Glibc
import WeirMetrics

extension EventLoop {
    /// Puts a transform between the socket and the protocol of a channel that is being opened. `connected` is called when
    /// it is established, before anything is delivered. `functions` and `context` last until its `released`.
    package func transform(
        _ channel: Channel,
        by functions: UnsafePointer<ChannelTransform>,
        _ context: UnsafeMutableRawPointer
    ) {
        let transform = UnsafeMutablePointer<TransformState>.allocate(capacity: 1)
        transform.initialize(to: TransformState(functions: functions, context: context))
        channel.state.pointee.transform = transform
        if core.pointee.plainBuffer == nil {
            core.pointee.plainBuffer = .allocate(
                byteCount: Self.receiveBufferCount + ChannelTransform.roomBeyondInput,
                alignment: 64
            )
        }
    }

    /// Gives a channel to another protocol, as if it had just been opened. From within a call of its present one.
    package func hand(
        _ channel: Channel,
        _ address: SocketAddress,
        to open: (EventLoop, Channel, SocketAddress) -> UnsafePointer<ChannelEvents>
    ) {
        channel.state.pointee.events = open(self, channel, address)
    }

    // MARK: Receiving

    /// Whether a channel may be received from in this part of the turn: those whose handshake is not done wait for its
    /// end, and of them so many are worked on, in the order in which they came. So a flood of handshakes, each of which
    /// costs as much as a hundred requests, leaves the loop to those who have their connections. Those that we began
    /// are counted apart: neither side's flood makes the other's wait.
    @inline(never)
    func mayReceive(_ transform: UnsafeMutablePointer<TransformState>, isOutbound: Bool) -> Bool {
        guard transform.pointee.phase == .opening else { return true }
        if isOutbound, core.pointee.outboundHandshakesLeft > 0 {
            core.pointee.outboundHandshakesLeft -= 1
            return true
        }
        if !isOutbound, core.pointee.handshakesLeft > 0 {
            core.pointee.handshakesLeft -= 1
            return true
        }
        if core.pointee.isReadingScheduled, !transform.pointee.wasDelayed {
            transform.pointee.wasDelayed = true
            metrics.increment(.handshakesDelayed)
        }
        return false
    }

    /// Delivers what the transform makes of bytes that have come.
    @inline(never)
    func deliverTransformed(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        let state = channel.state
        guard let transform = state.pointee.transform, let plain = core.pointee.plainBuffer else { return }
        let functions = transform.pointee.functions
        let receipt = functions.pointee.received(
            transform.pointee.context,
            bytes,
            UnsafeMutableRawBufferPointer(start: plain, count: bytes.count + ChannelTransform.roomBeyondInput)
        )
        if receipt.isEstablished, transform.pointee.phase == .opening {
            transform.pointee.phase = .established
            state.pointee.events?.pointee.connected(self, channel)
        }
        if receipt.count > 0, state.pointee.phase == .open {
            deliverBehindCarry(channel, UnsafeRawBufferPointer(start: plain, count: receipt.count))
        }
        switch receipt.outcome {
        case .open where transform.pointee.queuedBytes > Self.unaskedBytesMax:
            // It asks again and again for what it does not read (TLS: new keys).
            close(channel, reason: .failed)
        case .open: break
        case .ended:
            // What follows it, if anything does, is not the peer's.
            if state.pointee.input != .ended { state.pointee.input = .endPending }
        case .failed: transformFailed(state, transform)
        }
    }

    /// Notes that the peer's side of the socket has ended without its saying so before.
    ///
    /// - Returns: whether the connection is broken by it: what one of ours gave may be a part only. A client's requests say
    ///   themselves where they end.
    @inline(never)
    func breaksUntold(_ state: UnsafeMutablePointer<ChannelState>) -> Bool {
        guard let transform = state.pointee.transform else { return false }
        transform.pointee.hasPeerLeft = transform.pointee.head == nil && state.pointee.outputHead == nil
        return transform.pointee.phase == .opening || state.pointee.isOutbound
    }

    /// The protocol has heard of the peer's end. One that goes on may still send, or end later: that is told.
    @inline(never)
    func noteStays(_ state: UnsafeMutablePointer<ChannelState>) {
        if state.pointee.phase == .open { state.pointee.transform?.pointee.hasPeerLeft = false }
    }

    /// A client that could not be agreed with is told why, in what the transform has queued.
    private func transformFailed(
        _ state: UnsafeMutablePointer<ChannelState>,
        _ transform: UnsafeMutablePointer<TransformState>
    ) {
        let wasOpening = transform.pointee.phase == .opening
        transform.pointee.phase = .failed
        let channel = Channel(state: state)
        guard wasOpening, !state.pointee.isOutbound else {
            flush(state)
            return close(channel, reason: .failed)
        }
        finish(channel, writeTimeout: Self.refusalNanoseconds)
    }

    /// How long a client that is refused has for taking the reason.
    private static let refusalNanoseconds: Nanoseconds = 1_000_000_000

    // MARK: Sending

    /// Adds bytes of a transform to what goes to the peer. Within the calls of the transform.
    package func sendTransformed(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) {
        guard let transform = channel.state.pointee.transform, let source = bytes.baseAddress else { return }
        let buffer: Buffer
        if let tail = transform.pointee.tail, tail.free >= bytes.count {
            buffer = tail
        } else {
            // As large as what is about to follow, up to four whole records.
            let wanted = min(channel.state.pointee.queuedBytes + Self.recordOverheadMax, transformedBytesMax)
            buffer = core.pointee.buffers.take(max(bytes.count, wanted))
            if let tail = transform.pointee.tail { tail.pointee.next = buffer } else { transform.pointee.head = buffer }
            transform.pointee.tail = buffer
        }
        (buffer.bytes + Int(buffer.pointee.end)).copyMemory(from: source, byteCount: bytes.count)
        buffer.pointee.end += UInt32(bytes.count)
        transform.pointee.queuedBytes += bytes.count
    }

    /// What a record may be longer than what is in it.
    private static let recordOverheadMax = 64
    /// Transformed bytes of a channel that wait for the kernel; what the protocol has queued beyond waits as it is.
    private var transformedBytesMax: Int {
        core.pointee.buffers.isShort ? Self.smallOutputBufferCount : Self.transformedBytesWindow
    }
    private static let transformedBytesWindow = 65536 - Buffer.headerByteCount
    /// The same with what the transform itself answers, of which no window of the protocol's knows.
    private static let unaskedBytesMax = 2 * transformedBytesWindow
    /// A record that fills one segment of the network, so that its content is of use as soon as the segment is there …
    private static let smallRecordBytes = 1360
    /// … for as much as goes out before the network's first answer (RFC 6928); beyond, records are whole: cheaper.
    private static let smallRecordsBytesMax = 10 * smallRecordBytes
    /// The largest record's content (RFC 8446 section 5.1).
    private var recordBytesMax: Int {
        core.pointee.buffers.isShort ? Self.smallOutputBufferCount - Self.recordOverheadMax : 16384
    }
    /// After so long the network is as new again (RFC 9293 section 3.8.3 has it begin anew after a timeout's length).
    private static let burstEndNanoseconds: Nanoseconds = 1_000_000_000

    /// As the loop of `flush`, for a channel with a transform: whether nothing is left to be sent.
    @inline(never)
    func flushTransformed(
        _ state: UnsafeMutablePointer<ChannelState>,
        _ transform: UnsafeMutablePointer<TransformState>
    ) -> Bool {
        repeat {
            guard transformMore(state, transform) else {
                transform.pointee.phase = .failed
                // What it has written before that is whole.
                _ = sendQueued(state, transform)
                fail(state)
                return false
            }
            guard sendQueued(state, transform) else { return false }
        } while transform.pointee.phase == .established && hasUntransformed(state)
        // Before both have agreed the protocol's output waits, and so does its end, unless the channel is given up.
        return transform.pointee.phase != .opening || state.pointee.phase == .finishing
    }

    /// Whether the protocol's output, or its end, is still to be transformed.
    private func hasUntransformed(_ state: UnsafeMutablePointer<ChannelState>) -> Bool {
        state.pointee.outputHead != nil || state.pointee.phase == .finishing || state.pointee.endsOutput
    }

    /// Transforms what the protocol has queued, as much as is sent at once, and its end behind all of it; false where the
    /// transform cannot.
    ///
    /// Behind the little that the transform answers itself (TLS: the ticket), so that both go out in one call. Behind more,
    /// which a slow peer has left, only when that has been sent.
    private func transformMore(
        _ state: UnsafeMutablePointer<ChannelState>,
        _ transform: UnsafeMutablePointer<TransformState>
    ) -> Bool {
        guard transform.pointee.phase == .established, state.pointee.isWritable, hasUntransformed(state),
            transform.pointee.queuedBytes <= Self.answeredBytesMax
        else { return true }
        if state.pointee.outputHead != nil {
            transform.pointee.hasPeerLeft = false
            guard transformOutput(state, transform) else { return false }
            if state.pointee.outputHead != nil { return true }
        }
        guard state.pointee.phase == .finishing || state.pointee.endsOutput else { return true }
        transform.pointee.phase = .ended
        if !transform.pointee.hasPeerLeft { transform.pointee.functions.pointee.ended(transform.pointee.context) }
        return true
    }

    /// Bytes of a transform behind which the protocol's are put.
    private static let answeredBytesMax = 1024

    /// Gives the kernel what the transform has written; whether it took all, and would take more.
    private func sendQueued(
        _ state: UnsafeMutablePointer<ChannelState>,
        _ transform: UnsafeMutablePointer<TransformState>
    ) -> Bool {
        while state.pointee.isWritable, let buffer = transform.pointee.head {
            let count = buffer.count
            let start = buffer.bytes + Int(buffer.pointee.start)
            let hasMore = buffer.pointee.next != nil
            switch core.pointee.poller.send(state.pointee.descriptor, start, count: count, hasMore: hasMore) {
            case .bytes(let sent):
                if !state.pointee.isOutbound { metrics.add(.sentBytes, UInt64(sent)) }
                transform.pointee.sentBytes += UInt64(sent)
                transform.pointee.queuedBytes -= sent
                buffer.pointee.start += UInt32(sent)
                if sent < count {
                    noteBlocked(state)
                    return false
                }
            case .wouldBlock, .end:
                noteBlocked(state)
                return false
            case .failed:
                fail(state)
                return false
            }
            transform.pointee.head = buffer.pointee.next
            if buffer.pointee.next == nil { transform.pointee.tail = nil }
            core.pointee.buffers.give(buffer)
        }
        return state.pointee.isWritable
    }

    /// Transforms what the protocol has queued, as much as is sent at once.
    private func transformOutput(
        _ state: UnsafeMutablePointer<ChannelState>,
        _ transform: UnsafeMutablePointer<TransformState>
    ) -> Bool {
        if now &- transform.pointee.lastSent > Self.burstEndNanoseconds { transform.pointee.burstBytes = 0 }
        transform.pointee.lastSent = now
        let send = transform.pointee.functions
        while let buffer = state.pointee.outputHead {
            while buffer.count > 0 {
                let isNew = transform.pointee.burstBytes < Self.smallRecordsBytesMax
                let count = min(buffer.count, isNew ? Self.smallRecordBytes : recordBytesMax)
                let queued = transform.pointee.queuedBytes + count + Self.recordOverheadMax
                if transform.pointee.queuedBytes > 0, queued > transformedBytesMax { return true }
                let start = buffer.bytes + Int(buffer.pointee.start)
                let bytes = UnsafeRawBufferPointer(start: start, count: count)
                guard send.pointee.send(transform.pointee.context, bytes) else { return false }
                buffer.pointee.start += UInt32(count)
                state.pointee.queuedBytes -= count
                state.pointee.sentBytes += UInt64(count)
                transform.pointee.burstBytes += count
            }
            state.pointee.outputHead = buffer.pointee.next
            if buffer.pointee.next == nil { state.pointee.outputTail = nil }
            core.pointee.buffers.give(buffer)
        }
        return true
    }

    // MARK: The end

    /// A connection of ours that is closed at once: the peer hears that nothing follows, if the kernel takes that now
    /// (RFC 8446 section 6.1). A client hears it behind its last answer, in `flushTransformed`.
    @inline(never)
    func tellEnd(_ state: UnsafeMutablePointer<ChannelState>, _ transform: UnsafeMutablePointer<TransformState>) {
        guard state.pointee.isOutbound, transform.pointee.phase == .established else { return }
        transform.pointee.phase = .ended
        transform.pointee.functions.pointee.ended(transform.pointee.context)
        _ = sendQueued(state, transform)
    }

    /// Frees the transform of a channel that is reaped.
    func releaseTransform(_ state: UnsafeMutablePointer<ChannelState>) {
        guard let transform = state.pointee.transform else { return }
        state.pointee.transform = nil
        while let buffer = transform.pointee.head {
            transform.pointee.head = buffer.pointee.next
            core.pointee.buffers.give(buffer)
        }
        transform.pointee.functions.pointee.released(transform.pointee.context)
        transform.deallocate()
    }
}
