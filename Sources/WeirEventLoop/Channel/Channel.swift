// SPDX-License-Identifier: Apache-2.0
// The handle through which a protocol works with its connection: pause, resume, deadlines, output, close.

import CWeirSystem

/// A connection of a loop; valid from `accepted` or `adopt` until `closed` has been called, on the loop's thread only.
///
/// The pointer inside stays within the loop's table, whose slots never move and are never freed while the loop lives.
package struct Channel: Equatable {
    let state: UnsafeMutablePointer<ChannelState>

    /// A handle that names no channel; using it traps. For owners that are made before their channel.
    package static var none: Channel { Channel(state: noState) }

    /// What the protocol keeps for this channel.
    package var context: UnsafeMutableRawPointer? {
        get { state.pointee.context }
        nonmutating set { state.pointee.context = newValue }
    }

    /// A value that names this channel for good: it never names a later one in the same slot.
    package var id: UInt64 { UInt64(state.pointee.generation) << 32 | UInt64(state.pointee.slot) }

    /// Bytes that were given to be sent and have not gone to the kernel, in the form in which they wait.
    package var queuedByteCount: Int {
        state.pointee.queuedBytes + (state.pointee.transform?.pointee.queuedBytes ?? 0)
    }

    /// Bytes that were given to be sent since the channel was opened.
    package var outputPosition: UInt64 { state.pointee.sentBytes + UInt64(state.pointee.queuedBytes) }

    /// What the kernel has taken.
    package var sentByteCount: UInt64 { state.pointee.sentBytes }

    /// Bytes that the peer has acknowledged since the channel was opened, as they went over the network; one system call.
    package func acknowledgedByteCount(on loop: EventLoop) -> UInt64 {
        let waiting = UInt64(loop.core.pointee.poller.unacknowledgedByteCount(state.pointee.descriptor))
        let sent = state.pointee.transform?.pointee.sentBytes ?? state.pointee.sentBytes
        return sent > waiting ? sent - waiting : 0
    }

    /// Whether something has come that was not received; one system call.
    package func hasInput(on loop: EventLoop) -> Bool {
        loop.core.pointee.poller.hasInput(state.pointee.descriptor)
    }

    /// Whether all that has come was received and the peer has not ended: then the next bytes bring an event. A short
    /// receive has told so; behind one that filled its buffer it costs one system call.
    package func isDrained(on loop: EventLoop) -> Bool {
        if state.pointee.input == .ready, !state.pointee.hasPeerEnded, !hasInput(on: loop) {
            state.pointee.input = .drained
        }
        return state.pointee.input == .drained
    }

    /// Whether received bytes are waiting that the protocol has not taken.
    package var hasUntakenBytes: Bool { state.pointee.carry != nil }

    /// Whether the peer has ended its side and `ended` was called.
    package var isEnded: Bool { state.pointee.input == .ended }

    package var isOpen: Bool { state.pointee.phase == .open }

    /// Whether the connection is broken, and only what had come before that is still delivered.
    package var hasFailed: Bool { state.pointee.hasFailed }

    /// Whether something stands between the socket and the protocol.
    package var isTransformed: Bool { state.pointee.transform != nil }

    /// Whether the connection has been asked for and does not stand yet, or the two sides of its transform have not agreed.
    package var isConnecting: Bool {
        state.pointee.isConnecting || state.pointee.isOutbound && state.pointee.transform?.pointee.phase == .opening
    }

    package var isPaused: Bool { state.pointee.isPaused }

    package var descriptor: Int32 { state.pointee.descriptor }

    /// Our own end's address; one system call.
    package var localAddress: SocketAddress? { SocketAddress(of: descriptor) }

    /// Stops receiving: no byte is delivered until `resume`, what has come is kept.
    package func pause() {
        state.pointee.isPaused = true
    }

    /// Receives again; what was kept is delivered in this turn, not inside this call.
    package func resume(on loop: EventLoop) {
        guard state.pointee.isPaused else { return }
        state.pointee.isPaused = false
        loop.scheduleReading(state)
    }

    /// Sets the one instant at which `timedOut` is called; `.max` for never. Costs two stores unless it is earlier than
    /// what the wheel already waits for.
    package func setDeadline(_ instant: Nanoseconds, on loop: EventLoop) {
        state.pointee.deadline = instant
        guard instant != .max else { return }
        let tick = EventLoop.tick(notBefore: instant)
        if !state.pointee.timer.isArmed || tick < state.pointee.timer.due {
            loop.core.pointee.timers.schedule(timerNode, at: tick)
        }
    }

    /// Marks the channel as idle since `instant` (it may be closed when descriptors run short), or busy with `.max`.
    /// One that `isNew` has not been of use yet.
    package func setIdle(since instant: Nanoseconds, isNew: Bool = false) {
        state.pointee.idleSince = instant
        state.pointee.isNew = isNew
    }

    /// Makes the end of this channel a reset, which the peer cannot take for a good end.
    package func resetOnClose() {
        weir_reset_on_close(state.pointee.descriptor)
    }

    var timerNode: UnsafeMutablePointer<TimerNode> {
        UnsafeMutableRawPointer(state).assumingMemoryBound(to: TimerNode.self)
    }
}

/// One state that no table owns, in phase `free`, so that a handle is never null.
private nonisolated(unsafe) let noState: UnsafeMutablePointer<ChannelState> = {
    let state = UnsafeMutablePointer<ChannelState>.allocate(capacity: 1)
    state.initialize(to: ChannelState(slot: .max))
    return state
}()
