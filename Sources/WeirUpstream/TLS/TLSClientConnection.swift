// SPDX-License-Identifier: Apache-2.0
// The transform of a connection that we make: joins a client's session of WeirTLS to a channel. In memory of its own, on
// its loop's thread.

package import WeirEventLoop
package import WeirTLS

/// A TLS session and the channel that it speaks through.
///
///     connecting ──> shaking ──both agree──> established
///                       └──────> failed <──────┘ (TLS 1.3: what the server thinks of our certificate comes late)
package struct TLSClientConnection: ~Copyable {
    private enum Stage {
        /// The connection does not stand.
        case connecting
        case shaking
        case established
        case failed
    }

    private let channel: Channel
    // The channels of a loop are gone before it.
    private unowned(unsafe) let loop: EventLoop
    private let session: TLSClientSession
    private let counts: HandshakeCounts?
    private var stage = Stage.connecting
    private var hasReceived = false
    private var failure: HandshakeFailure?

    /// Has a channel that is being opened by `EventLoop.connect` speak TLS: `connected` is called when both sides have
    /// agreed.
    ///
    /// - Returns: what lasts as long as the channel, its `closed` among that; nil where there is no memory for it, or the
    ///   target's name is none.
    package static func open(
        _ channel: Channel,
        to target: TLSTarget,
        on loop: EventLoop
    ) -> UnsafeMutablePointer<TLSClientConnection>? {
        let memory = UnsafeMutablePointer<TLSClientConnection>.allocate(capacity: 1)
        let made = TLSClientSession(
            target.client.context,
            to: target.name,
            resuming: target.sessions,
            output: sendOutput,
            memory
        )
        guard let session = made else {
            memory.deallocate()
            return nil
        }
        memory.initialize(to: TLSClientConnection(channel, loop, session, target.counts))
        loop.transform(channel, by: functions, memory)
        return memory
    }

    private init(
        _ channel: Channel,
        _ loop: EventLoop,
        _ session: consuming TLSClientSession,
        _ counts: HandshakeCounts?
    ) {
        self.channel = channel
        self.loop = loop
        self.session = session
        self.counts = counts
    }

    // MARK: What whoever has the channel asks

    /// The channel has closed: why TLS is the cause; nil where it is not.
    package mutating func closed(_ reason: CloseReason) -> HandshakeFailure? {
        if stage == .shaking, reason == .failed {
            fail(HandshakeFailure(.closed, "the connection ended in the handshake"))
        }
        return failure
    }

    /// The channel's time to connect is over.
    package mutating func timedOut() {
        if stage == .shaking { fail(HandshakeFailure(.timeout, "the handshake took too long")) }
    }

    private mutating func fail(_ failure: HandshakeFailure) {
        stage = .failed
        self.failure = failure
        counts?.note(failure.fault)
    }

    // MARK: What the loop calls

    // By pointer, and not `mutating`: what the session has to send reaches the connection during the call.

    private static func start(_ connection: UnsafeMutablePointer<TLSClientConnection>) {
        connection.pointee.stage = .shaking
        guard !connection.pointee.session.start() else { return }
        connection.pointee.fail(HandshakeFailure(.malformed, "no handshake can be begun"))
        let (loop, channel) = (connection.pointee.loop, connection.pointee.channel)
        loop.close(channel, reason: .failed)
    }

    private static func receive(
        _ connection: UnsafeMutablePointer<TLSClientConnection>,
        _ input: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) -> TransformReceipt {
        let received = connection.pointee.session.receive(input, into: target)
        let outcome = connection.pointee.take(received)
        return TransformReceipt(
            count: received.count,
            isEstablished: connection.pointee.stage == .established,
            outcome: outcome
        )
    }

    /// What a call of the session has come to; the session says nothing meanwhile.
    private mutating func take(_ received: TLSReceived) -> TransformReceipt.Outcome {
        if stage == .shaking, session.isEstablished {
            stage = .established
            counts?.noteDone(resumed: session.isResumed)
        }
        if received.count > 0 { hasReceived = true }
        switch received.state {
        case .open: return .open
        case .ended where stage == .shaking:
            fail(HandshakeFailure(.closed, "the server ended the handshake"))
            return .failed
        case .ended: return .ended
        case .failed(let fault):
            if stage == .shaking || stage == .established && !hasReceived && session.isLateRefusal(fault) {
                fail(session.failure(fault))
            }
            return .failed
        }
    }

    private static func of(_ context: UnsafeMutableRawPointer) -> UnsafeMutablePointer<TLSClientConnection> {
        context.assumingMemoryBound(to: TLSClientConnection.self)
    }

    /// What a session sends goes out behind what it has sent before.
    private static let sendOutput: SessionIO.Output = { argument, bytes, count in
        let connection = argument.assumingMemoryBound(to: TLSClientConnection.self)
        connection.pointee.loop.sendTransformed(
            connection.pointee.channel,
            UnsafeRawBufferPointer(start: bytes, count: count)
        )
    }

    /// It captures nothing. Immutable, and never freed.
    private nonisolated(unsafe) static let functions: UnsafePointer<ChannelTransform> = {
        let functions = UnsafeMutablePointer<ChannelTransform>.allocate(capacity: 1)
        functions.initialize(
            to: ChannelTransform(
                started: { start(of($0)) },
                received: { receive(of($0), $1, $2) },
                send: { of($0).pointee.session.send($1) },
                ended: { of($0).pointee.session.end() },
                released: { context in
                    of(context).deinitialize(count: 1)
                    of(context).deallocate()
                }
            )
        )
        return UnsafePointer(functions)
    }()
}
