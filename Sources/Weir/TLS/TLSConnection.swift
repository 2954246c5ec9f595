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
        /// Requests come already, and answers go; the client may be somebody who has recorded the requests.
        case early
        case established
        /// It has been counted as failed.
        case failed
    }

    let channel: Channel
    /// The client's, and where it connected to if a trusted PROXY header has said so.
    private(set) var address: SocketAddress
    private(set) var target: SocketAddress?
    /// Until the PROXY header is whole that the peer must send.
    private var preface: ProxyPreface?
    // It belongs to the loop, whose channels are gone before it.
    unowned(unsafe) let acceptor: TLSAcceptor
    /// Until when the handshake must be done; a drain has less patience.
    let deadline: Nanoseconds
    private let session: TLSSession
    private var stage = Stage.running

    private init(
        _ channel: Channel,
        _ address: SocketAddress,
        _ acceptor: TLSAcceptor,
        _ deadline: Nanoseconds,
        _ session: consuming TLSSession
    ) {
        preface = acceptor.awaitsHeader(of: address) ? ProxyPreface() : nil
        self.channel = channel
        self.address = address
        self.acceptor = acceptor
        self.deadline = deadline
        self.session = session
    }

    /// A connection that the transform's `released` frees; nil where there is no memory for a session.
    static func make(
        _ channel: Channel,
        _ address: SocketAddress,
        of acceptor: TLSAcceptor,
        _ context: TLSContext,
        until deadline: Nanoseconds
    ) -> UnsafeMutablePointer<TLSConnection>? {
        let memory = UnsafeMutablePointer<TLSConnection>.allocate(capacity: 1)
        guard let session = TLSSession(accepting: context, output: sendOutput, memory) else {
            memory.deallocate()
            return nil
        }
        memory.initialize(to: TLSConnection(channel, address, acceptor, deadline, session))
        return memory
    }

    /// Whether requests come before the handshake is done.
    var isEarly: Bool { stage == .early }

    var isResumed: Bool { session.isResumed }

    /// What the client has shown, once the handshake is done.
    var clientCertificate: ClientCertificate? { session.peerCertificate.map(ClientCertificate.init) }

    // MARK: What the loop calls

    /// It captures nothing.
    static let transform = ChannelTransform(
        // A server answers.
        started: { _ in },
        received: { context, input, target in receive(of(context), input, target) },
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

    /// By pointer, and not `mutating`: what the session has to send reaches the connection during the call.
    private static func receive(
        _ connection: UnsafeMutablePointer<TLSConnection>,
        _ input: UnsafeRawBufferPointer,
        _ target: UnsafeMutableRawBufferPointer
    ) -> TransformReceipt {
        guard let input = readPreface(connection, input) else {
            return TransformReceipt(count: 0, isEstablished: false, outcome: .failed)
        }
        if input.isEmpty { return TransformReceipt(count: 0, isEstablished: false, outcome: .open) }
        let received = connection.pointee.session.receive(input, into: target)
        switch connection.pointee.stage {
        case .running where connection.pointee.session.isEstablished: connection.pointee.stage = .established
        case .running where received.isEarly: connection.pointee.stage = .early
        case .early where connection.pointee.session.isEstablished:
            connection.pointee.stage = .established
            // Before what may have come behind it.
            connection.pointee.acceptor.confirmed(connection.pointee.channel)
        case .running, .early, .established, .failed: break
        }
        let outcome: TransformReceipt.Outcome
        switch received.state {
        case .open: outcome = .open
        case .ended: outcome = .ended
        case .failed(let fault):
            failed(connection, fault)
            outcome = .failed
        }
        let isEstablished = connection.pointee.stage == .established || connection.pointee.stage == .early
        return TransformReceipt(count: received.count, isEstablished: isEstablished, outcome: outcome)
    }

    /// What is behind the PROXY header, if there must be one; nil where it is none.
    private static func readPreface(
        _ connection: UnsafeMutablePointer<TLSConnection>,
        _ input: UnsafeRawBufferPointer
    ) -> UnsafeRawBufferPointer? {
        guard connection.pointee.preface != nil else { return input }
        switch connection.pointee.preface?.read(input) {
        case .incomplete, nil:
            return UnsafeRawBufferPointer(rebasing: input[input.count...])
        case .complete(let header, let taken):
            connection.pointee.preface = nil
            if let source = header.source {
                connection.pointee.address = source
                connection.pointee.target = header.destination
            }
            return UnsafeRawBufferPointer(rebasing: input[taken...])
        case .refused:
            connection.pointee.stage = .failed
            connection.pointee.acceptor.metrics.increment(.parseFault400)
            return nil
        }
    }

    // MARK: What fails

    private static func failed(_ connection: UnsafeMutablePointer<TLSConnection>, _ fault: TLSFault) {
        let (acceptor, channel) = (connection.pointee.acceptor, connection.pointee.channel)
        guard connection.pointee.stage == .running || connection.pointee.stage == .early else {
            if fault == .flood { acceptor.metrics.increment(.secureFloods) }
            return
        }
        connection.pointee.stage = .failed
        acceptor.metrics.increment(CounterID(fault))
        acceptor.logger.debug(
            "a TLS handshake failed",
            metadata: ["client": .string(connection.pointee.address.host), "reason": .string(fault.text)]
        )
        guard fault == .plainHTTP else { return }
        acceptor.loop.sendTransformed(
            channel,
            UnsafeRawBufferPointer(start: plainHTTPAnswer.utf8Start, count: plainHTTPAnswer.utf8CodeUnitCount)
        )
    }

    mutating func timedOut() {
        stage = .failed
        if acceptor.loop.now >= deadline { acceptor.metrics.increment(.timeoutsHandshake) }
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
        case .certificate, .damagedCertificate: self = .handshakeFailuresCertificate
        case .helloTooLarge, .flood, .other: self = .handshakeFailuresMalformed
        }
    }
}
