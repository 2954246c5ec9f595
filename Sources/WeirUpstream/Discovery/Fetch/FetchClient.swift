// SPDX-License-Identifier: Apache-2.0
// Asks a server that knows endpoints, or something else of the cluster: one request after the other, over a connection
// that is kept, for a whole answer or for one that goes on line by line. Confined to its loop.

package import WeirEventLoop
import WeirHTTP
import WeirTLS

/// `@unchecked Sendable`: everything happens on the loop's thread.
package final class FetchClient: @unchecked Sendable {
    package struct Answer: Sendable {
        package let status: Int
        /// The value of the field that was asked for.
        package let value: String?
        package let body: [UInt8]
    }

    package typealias Done = (Result<Answer, FetchFault>) -> Void

    /// What becomes of an answer that has no end: its status is 200, else it is taken as any other.
    package struct Stream {
        /// How long nothing may come.
        let silence: Nanoseconds
        /// The head is there.
        let opened: () -> Void
        let line: ([UInt8]) -> Void
    }

    package static let connectTimeoutDefault: Nanoseconds = 5_000_000_000

    /// A request that is being answered.
    private struct Exchange {
        let request: [UInt8]
        let address: SocketAddress
        let timeout: Nanoseconds
        /// The connection was used before: an end without a byte may be the end of an idle one that has crossed it.
        let isReused: Bool
        let stream: Stream?
        var hasReceived = false
        var hasOpened = false
        let done: Done
    }

    private enum Phase {
        case closed
        /// Until the loop has a channel for it, within one call.
        case opening(Exchange)
        case idle(Channel)
        case busy(Channel, Exchange)
    }

    private let loop: EventLoop
    private let field: StaticString
    private let bodyBytesMax: Int
    private let lineBytesMax: Int
    private let connectTimeout: Nanoseconds
    /// Whom new connections are to find; nil for those without TLS.
    package var tls: TLSTarget?
    private var phase = Phase.closed
    /// The transform's, which lasts as long as the channel.
    private var secure: UnsafeMutablePointer<TLSClientConnection>?
    private var body: FetchBody

    /// - Parameters:
    ///   - field: the header field whose value an answer tells.
    ///   - bodyBytesMax: the largest body that is taken.
    ///   - lineBytesMax: the longest line of one that streams.
    ///   - connectTimeout: how long a connection may take to stand, its handshake among that.
    ///   - tls: whom the connection is to find; nil for one without TLS.
    package init(
        on loop: EventLoop,
        field: StaticString,
        bodyBytesMax: Int,
        lineBytesMax: Int = 0,
        connectTimeout: Nanoseconds = connectTimeoutDefault,
        tls: TLSTarget? = nil
    ) {
        self.connectTimeout = connectTimeout
        self.loop = loop
        self.field = field
        self.bodyBytesMax = bodyBytesMax
        self.lineBytesMax = lineBytesMax
        self.tls = tls
        body = FetchBody(field: field, bytesMax: bodyBytesMax)
    }

    /// Whether there is a connection that waits for a request.
    package var isConnected: Bool { if case .idle = phase { true } else { false } }

    /// Sends `request`, a whole one, over the connection that is there, or over a new one to `address`. `done` is called
    /// once; within this call only where not even a connection can be begun.
    ///
    /// - Parameter timeout: until the whole answer is there, from when the connection stands.
    ///   Of an answer that streams, until its head is there.
    /// - Parameter stream: what is done with an answer line by line, which `done` then has no body of. It may close the
    ///   connection, and ask for something else.
    package func get(
        _ request: [UInt8],
        from address: SocketAddress,
        timeout: Nanoseconds,
        stream: Stream? = nil,
        done: @escaping Done
    ) {
        func exchange(isReused: Bool) -> Exchange {
            Exchange(
                request: request,
                address: address,
                timeout: timeout,
                isReused: isReused,
                stream: stream,
                done: done
            )
        }
        switch phase {
        case .idle(let channel):
            let exchange = exchange(isReused: true)
            phase = .busy(channel, exchange)
            send(exchange, on: channel)
        case .closed: connect(exchange(isReused: false))
        case .opening, .busy: preconditionFailure("one request at a time")
        }
    }

    /// Ends the connection; whoever waits is not told.
    package func close() {
        let before = phase
        phase = .closed
        secure = nil
        switch before {
        case .idle(let channel), .busy(let channel, _): loop.close(channel)
        case .closed, .opening: break
        }
    }

    private func connect(_ exchange: Exchange) {
        phase = .opening(exchange)
        do throws(SystemCallError) {
            try loop.connect(to: exchange.address) { [self] _, channel, _ in open(channel) }
        } catch {
            phase = .closed
            exchange.done(.failure(.unreachable))
        }
    }

    private func open(_ channel: Channel) -> UnsafePointer<ChannelEvents> {
        guard case .opening(let exchange) = phase else { preconditionFailure("a channel that nobody has asked for") }
        phase = .busy(channel, exchange)
        // Released when the channel has closed.
        channel.context = Unmanaged.passRetained(self).toOpaque()
        channel.setDeadline(loop.now &+ connectTimeout, on: loop)
        if let tls {
            secure = TLSClientConnection.open(channel, to: tls, on: loop)
            // No memory for a session.
            if secure == nil { loop.close(channel, reason: .failed) }
        }
        return FetchClient.channelEvents
    }

    private func send(_ exchange: Exchange, on channel: Channel) {
        body =
            exchange.stream == nil
            ? FetchBody(field: field, bytesMax: bodyBytesMax)
            : FetchBody(field: field, bytesMax: lineBytesMax, isStream: true)
        channel.setDeadline(loop.now &+ exchange.timeout, on: loop)
        exchange.request.withUnsafeBytes { loop.send(channel, $0) }
        loop.flush(channel)
    }

    // MARK: Events

    private func connected(_ channel: Channel) {
        guard case .busy(channel, let exchange) = phase else { return }
        send(exchange, on: channel)
    }

    private func received(_ channel: Channel, _ bytes: UnsafeRawBufferPointer) -> Int {
        guard case .busy(channel, var exchange) = phase else {
            // An idle connection has nothing to say.
            drop(channel)
            return bytes.count
        }
        exchange.hasReceived = true
        phase = .busy(channel, exchange)
        // The bytes are the loop's, valid during this call.
        let (taken, step) = body.take(Span<UInt8>(_unsafeBytes: bytes))
        guard stream(channel, &exchange) else { return bytes.count }
        switch step {
        case .incomplete where body.streams && body.hasLongLine:
            fail(channel, exchange, .tooLarge(bytesMax: lineBytesMax))
        case .incomplete: return taken
        case .failed(let fault): fail(channel, exchange, fault)
        case .complete(let keepsConnection): finish(channel, exchange, keepsConnection: keepsConnection)
        }
        return bytes.count
    }

    /// Gives the lines that have come to whoever asked for them; false where that has closed the connection.
    private func stream(_ channel: Channel, _ exchange: inout Exchange) -> Bool {
        guard let stream = exchange.stream, body.streams else { return true }
        channel.setDeadline(loop.now &+ stream.silence, on: loop)
        if !exchange.hasOpened {
            exchange.hasOpened = true
            phase = .busy(channel, exchange)
            stream.opened()
            guard case .busy(channel, _) = phase else { return false }
        }
        while let line = body.nextLine() {
            stream.line(line)
            guard case .busy(channel, _) = phase else { return false }
        }
        return true
    }

    private func ended(_ channel: Channel) {
        guard case .busy(channel, let exchange) = phase else { return drop(channel) }
        if exchange.hasReceived, body.endsWithConnection {
            finish(channel, exchange, keepsConnection: false)
        } else {
            lost(channel, exchange)
        }
    }

    private func closed(_ channel: Channel, _ reason: CloseReason) {
        // That of another channel stays: one that was dropped is closed behind the opening of the next.
        let isOwn = if case .busy(channel, _) = phase { true } else { false }
        let failure = isOwn ? secure?.pointee.closed(reason) : nil
        if isOwn { secure = nil }
        switch phase {
        case .idle(channel): phase = .closed
        case .busy(channel, let exchange):
            guard reason != .stopped else {
                phase = .closed
                return
            }
            if let failure {
                fail(channel, exchange, .tls(failure))
            } else if channel.isConnecting {
                fail(channel, exchange, .unreachable)
            } else {
                lost(channel, exchange)
            }
        case .idle, .busy, .closed, .opening: break
        }
    }

    private func timedOut(_ channel: Channel) {
        guard case .busy(channel, let exchange) = phase else { return }
        if channel.isConnecting { secure?.pointee.timedOut() }
        fail(channel, exchange, .timedOut)
    }

    // MARK: The end of an exchange

    private func finish(_ channel: Channel, _ exchange: Exchange, keepsConnection: Bool) {
        if keepsConnection {
            channel.setDeadline(.max, on: loop)
            phase = .idle(channel)
        } else {
            drop(channel)
        }
        exchange.done(.success(Answer(status: body.status, value: body.value, body: body.bytes)))
    }

    /// The server may have ended an idle connection while the request was on its way: that is no failure of its.
    private func lost(_ channel: Channel, _ exchange: Exchange) {
        guard exchange.isReused, !exchange.hasReceived else { return fail(channel, exchange, .lost) }
        drop(channel)
        get(
            exchange.request,
            from: exchange.address,
            timeout: exchange.timeout,
            stream: exchange.stream,
            done: exchange.done
        )
    }

    private func fail(_ channel: Channel, _ exchange: Exchange, _ fault: FetchFault) {
        drop(channel)
        exchange.done(.failure(fault))
    }

    private func drop(_ channel: Channel) {
        phase = .closed
        secure = nil
        loop.close(channel)
    }

    private static func of(_ channel: Channel) -> FetchClient {
        guard let context = channel.context else { preconditionFailure("a channel without its client") }
        return Unmanaged<FetchClient>.fromOpaque(context).takeUnretainedValue()
    }

    /// Immutable, and never freed.
    private nonisolated(unsafe) static let channelEvents: UnsafePointer<ChannelEvents> = {
        let events = UnsafeMutablePointer<ChannelEvents>.allocate(capacity: 1)
        events.initialize(
            to: ChannelEvents(
                connected: { _, channel in of(channel).connected(channel) },
                received: { _, channel, bytes in of(channel).received(channel, bytes) },
                ended: { _, channel in of(channel).ended(channel) },
                blocked: { _, _ in },
                drained: { _, _ in },
                timedOut: { _, channel in of(channel).timedOut(channel) },
                closed: { _, channel, reason in
                    let client = of(channel)
                    client.closed(channel, reason)
                    // Retained in `connect`.
                    Unmanaged.passUnretained(client).release()
                }
            )
        )
        return UnsafePointer(events)
    }()
}
