// SPDX-License-Identifier: Apache-2.0
// The transform of a client's TLS connection: joins a session of WeirTLS to a channel. In memory of its own, on its
// loop's thread.

import Logging
import WeirEventLoop
import WeirMetrics
import WeirTLS

/// A TLS session and the channel that it speaks through.
struct TLSConnection: ~Copyable {
    /// How the handshake stands, for what is counted.
    private enum Stage {
        case running
        case established
        /// It has been counted as failed.
        case failed
    }

    let channel: Channel
    let address: SocketAddress
    // It belongs to the loop, whose channels are gone before it.
    unowned(unsafe) let acceptor: TLSAcceptor
    private let session: TLSSession
    private var stage = Stage.running

    private init(
        _ channel: Channel,
        _ address: SocketAddress,
        _ acceptor: TLSAcceptor,
        _ session: consuming TLSSession
    ) {
        self.channel = channel
        self.address = address
        self.acceptor = acceptor
        self.session = session
    }

    /// A connection that the transform's `released` frees; nil where there is no memory for a session.
    static func make(
        _ channel: Channel,
        _ address: SocketAddress,
        of acceptor: TLSAcceptor,
        _ context: TLSContext
    ) -> UnsafeMutablePointer<TLSConnection>? {
        let memory = UnsafeMutablePointer<TLSConnection>.allocate(capacity: 1)
        guard let session = TLSSession(accepting: context, output: sendOutput, memory) else {
            memory.deallocate()
            return nil
        }
        memory.initialize(to: TLSConnection(channel, address, acceptor, session))
        return memory
    }

    var isResumed: Bool { session.isResumed }

    /// What the client has shown, once the handshake is done.
    var clientCertificate: ClientCertificate? { session.peerCertificate.map(ClientCertificate.init) }

    // MARK: What the loop calls

    /// It captures nothing.
    static let transform = ChannelTransform(
        // A server answers.
        started: { _ in },
        received: { context, input, target in of(context).pointee.receive(input, target) },
        send: { context, bytes in of(context).pointee.session.send(bytes) },
        ended: { context in of(context).pointee.session.end() },
        released: { context in
            of(context).deinitialize(count: 1)
            of(context).deallocate()
        }
    )

    private static func of(_ context: UnsafeMutableRawPointer) -> UnsafeMutablePointer<TLSConnection> {
        context.assumingMemoryBound(to: TLSConnection.self)
    }

    private mutating func receive(
        _ input: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) -> TransformReceipt {
        let received = session.receive(input, into: target)
        if stage == .running, session.isEstablished { stage = .established }
        let outcome: TransformReceipt.Outcome
        switch received.state {
        case .open: outcome = .open
        case .ended: outcome = .ended
        case .failed(let fault):
            if stage == .running { failed(fault) }
            outcome = .failed
        }
        return TransformReceipt(count: received.count, isEstablished: stage == .established, outcome: outcome)
    }

    // MARK: Handshakes that fail

    private mutating func failed(_ fault: TLSFault) {
        stage = .failed
        acceptor.metrics.increment(CounterID(fault))
        acceptor.logger.debug(
            "a TLS handshake failed",
            metadata: ["client": .string(address.host), "reason": .string(fault.text)]
        )
        guard fault == .plainHTTP else { return }
        acceptor.loop.sendTransformed(
            channel,
            UnsafeRawBufferPointer(start: plainHTTPAnswer.utf8Start, count: plainHTTPAnswer.utf8CodeUnitCount)
        )
    }

    mutating func timedOut() {
        stage = .failed
        acceptor.metrics.increment(.timeoutsHandshake)
    }

    /// The channel ends before HTTP has it.
    mutating func closed(_ reason: CloseReason) {
        guard stage == .running, reason == .failed else { return }
        stage = .failed
        acceptor.metrics.increment(.handshakeFailuresClosed)
    }
}

/// What a session sends goes out behind what it has sent before.
private let sendOutput: SessionIO.Output = { argument, bytes, count in
    let connection = argument.assumingMemoryBound(to: TLSConnection.self)
    connection.pointee.acceptor.loop.sendTransformed(
        connection.pointee.channel,
        UnsafeRawBufferPointer(start: bytes, count: count)
    )
}

/// The answer to a request that came without TLS; it names no place, as the request was not read.
private let plainHTTPAnswer: StaticString = """
    HTTP/1.1 400 Bad Request\r
    Content-Type: application/problem+json\r
    Content-Length: 114\r
    Connection: close\r
    \r
    {"type":"about:blank","title":"Bad Request","status":400,"detail":"this port speaks TLS: ask by https:// for it"}

    """

extension CounterID {
    fileprivate init(_ fault: TLSFault) {
        switch fault {
        case .plainHTTP: self = .handshakeFailuresPlainHTTP
        case .version: self = .handshakeFailuresVersion
        case .parameters: self = .handshakeFailuresParameters
        case .application: self = .handshakeFailuresApplication
        case .alert: self = .handshakeFailuresAlert
        case .certificate: self = .handshakeFailuresCertificate
        case .other: self = .handshakeFailuresMalformed
        }
    }
}
