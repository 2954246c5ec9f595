// SPDX-License-Identifier: Apache-2.0
// An endpoint's response on its way to the client: head, body as it comes, end; and tunnels.

import Logging
import WeirEventLoop
import WeirHTTP
import WeirMetrics
import WeirUpstream

extension HTTP1Connection {
    /// What the status line, Date, framing and Connection need at most.
    private static let ownBytesMax = 320

    /// Passes an interim response on (RFC 9110 section 15.2): not to HTTP/1.0 clients, and 100 only to one that waits.
    func forwardInterim(_ exchange: Exchange, _ upstream: UpstreamConnection, _ bytes: UnsafeRawBufferPointer) {
        let request = exchange.parser.pointee.head
        let status = upstream.parser.pointee.head.status
        guard request.minorVersion > 0, exchange.output.isPending, status != 100 || request.expectsContinue else {
            return
        }
        if status == 100 { exchange.owesContinue = false }
        var writer = HeadWriter(loop.reserveOutput(channel, bytes.count + Self.ownBytesMax))
        writer.status(of: upstream.parser.pointee.head, bytes)
        writer.forward(upstream.parser.pointee.fields, in: Span<UInt8>(_unsafeBytes: bytes))
        exchange.withRewrites { writer.remove($0.response) }
        writer.end()
        loop.commitOutput(channel, writer.count)
    }

    /// Writes the final head: the endpoint's fields that are meant for the client, and how the body is framed here.
    func forwardHead(
        _ exchange: Exchange,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer,
        adding added: Headers
    ) {
        let head = upstream.parser.pointee.head
        let isOld = exchange.parser.pointee.head.minorVersion == 0
        if loop.now >= retiresAt, !isLast {
            isLast = true
            metrics.increment(.connectionsRetired)
        }
        // Whether a client that waits for 100 sends its body behind another answer is unknown (RFC 9110 section 10.1.1).
        isLast = isLast || owner.server.isDraining || exchange.owesContinue && !exchange.input.isDone
        let output: ResponseOutput
        var isChunked = false
        switch head.framing {
        case .none, .tunnel: output = .sized(remaining: 0)
        case .length(let length): output = .sized(remaining: Int(clamping: length))
        case .chunked, .untilClose:
            isChunked = !isOld
            output = isOld ? .untilClose : .chunked
        }
        switch output {
        case .untilClose: isLast = true
        // With so much of the request to come, the connection ends behind the response (`giveUpBody`): one that is a
        // refusal, or all there already. Whether the endpoint reads on behind another one, only its end tells.
        case .sized(remaining: 0) where exchange.hasMuchBodyLeft: isLast = true
        default: if exchange.hasMuchBodyLeft, head.status >= 400 { isLast = true }
        }
        var room = bytes.count + Self.ownBytesMax + byteCount(added)
        withLimitFields(of: exchange) { room += $0.fields.byteCountMax }
        withStrictTransport { room += $0.addedByteCount }
        exchange.withRewrites { room += $0.response.addedByteCount }
        var writer = HeadWriter(loop.reserveOutput(channel, room))
        writer.status(of: head, bytes)
        if !upstream.parser.pointee.fields.seen.contains(.date) { owner.writeDate(into: &writer) }
        // The bytes are the upstream loop's, valid during this call.
        writer.forward(upstream.parser.pointee.fields, in: Span<UInt8>(_unsafeBytes: bytes))
        if !added.isEmpty, let malformed = writeFields(added, into: &writer) {
            owner.logHandlerError(exchange, ResponseFieldError(name: malformed), "a response field is malformed")
        }
        withLimitFields(of: exchange) { $0.writeFields(exchange, into: &writer) }
        if isChunked { writer.raw("Transfer-Encoding: chunked\r\n") }
        if isLast {
            writer.raw("Connection: close\r\n")
        } else if isOld {
            writer.raw("Connection: keep-alive\r\n")
        }
        withStrictTransport { writer.edit($0) }
        exchange.withRewrites { writer.edit($0.response) }
        writer.end()
        precondition(!writer.overflowed, "the head's size was estimated too low")
        loop.commitOutput(channel, writer.count)
        exchange.status = UInt16(head.status)
        exchange.answeredAt = loop.now
        exchange.output = output
    }

    private func byteCount(_ headers: Headers) -> Int {
        headers.isEmpty ? 0 : headers.fields.reduce(0) { $0 + $1.name.utf8.count + $1.value.utf8.count + 4 }
    }

    /// Passes a piece of the body on, of an endpoint or of a producer, which is not longer than what is left. It goes out
    /// at the end of the turn, or at once where it is long.
    func forwardBody(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) {
        exchange.bodyBytesOut &+= UInt64(bytes.count)
        switch exchange.output {
        case .sized(let remaining):
            exchange.output = .sized(remaining: remaining - bytes.count)
            loop.sendThrough(channel, bytes)
        case .chunked:
            loop.writeChunk(channel, bytes)
        case .untilClose:
            loop.sendThrough(channel, bytes)
        case .pending, .copying, .done:
            break
        }
    }

    /// The endpoint's response is whole. The trailers' section, if it is not empty, is within `bytes`.
    func endForward(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer, _ section: ByteRange) {
        if case .chunked = exchange.output { writeEnd(exchange, bytes, section) }
        giveUpBody(exchange)
        finishOutput(exchange)
    }

    private func writeEnd(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer, _ section: ByteRange) {
        // A field that came without a space behind its colon gets one.
        var writer = HeadWriter(loop.reserveOutput(channel, 2 * Int(section.count) + 16))
        if section.isEmpty {
            ChunkedEncoder.writeEnd(into: &writer)
        } else {
            ChunkedEncoder.writeLastChunk(into: &writer)
            let span = Span<UInt8>(_unsafeBytes: bytes)
            var trailers = TrailerIterator(section)
            while let field = trailers.next(span) {
                writer.field(name: span.extracting(field.name.bounds), value: span.extracting(field.value.bounds))
            }
            exchange.withRewrites { writer.remove($0.response) }
            writer.end()
        }
        precondition(!writer.overflowed, "the trailers' size was estimated too low")
        loop.commitOutput(channel, writer.count)
    }

    /// All that has come from the endpoint in its turn was written: now it is sent.
    func forwardSettled() {
        if !isReceiving { loop.flush(channel) }
        if phase == .exchange { updateDeadline() }
    }

    /// The client has gone while its next request waits, or the rest of this one: what an endpoint was to answer, or
    /// has not begun, nobody answers now.
    func endedWhilePaused() {
        guard phase == .exchange, let exchange else { return }
        if exchange.slot != .waiting {
            guard case .forward = exchange.sink else { return }
        }
        noteCancelled(exchange)
        exchange.cancel()
        breakOff()
    }

    // MARK: Tunnels

    /// Passes 101 on; from now on bytes go both ways.
    func beginTunnel(
        _ exchange: Exchange,
        _ upstream: UpstreamConnection,
        _ bytes: UnsafeRawBufferPointer,
        adding added: Headers
    ) {
        let head = upstream.parser.pointee.head
        var room = 2 * bytes.count + Self.ownBytesMax + byteCount(added)
        exchange.withRewrites { room += $0.response.addedByteCount }
        // Upgrade is a field for one connection, so it is written anew for the client's.
        var writer = HeadWriter(loop.reserveOutput(channel, room))
        writer.status(of: head, bytes)
        writer.forward(upstream.parser.pointee.fields, in: Span<UInt8>(_unsafeBytes: bytes))
        if !added.isEmpty { _ = writeFields(added, into: &writer) }
        writer.raw("Connection: upgrade\r\n")
        upstream.eachUpgrade(in: bytes) { value in
            writer.raw("Upgrade: ")
            writer.raw(value)
            writer.raw("\r\n")
        }
        withStrictTransport { writer.edit($0) }
        exchange.withRewrites { writer.edit($0.response) }
        writer.end()
        precondition(!writer.overflowed, "the head's size was estimated too low")
        loop.commitOutput(channel, writer.count)
        exchange.status = 101
        exchange.output = .untilClose
        exchange.stream = .tunnel
        owner.leave(exchange, now: loop.latest)
        metrics.countStream(route: exchange.routeIndex, begins: true)
        metrics.increment(.tunnelsActive)
        phase = .tunnel
        readDeadline = .max
        noteTunnelActivity()
        if channel.isPaused { channel.resume(on: loop) }
    }

    /// Bytes of the tunnel, from the endpoint.
    func tunnel(_ bytes: UnsafeRawBufferPointer) {
        if let exchange { exchange.bodyBytesOut &+= UInt64(bytes.count) }
        noteTunnelActivity()
        loop.sendThrough(channel, bytes)
    }

    func noteTunnelActivity() {
        tunnelActiveAt = loop.now
        updateDeadline()
    }

    /// The tunnel is over on the endpoint's side, or on both.
    func endTunnel(_ exchange: Exchange) {
        isLast = true
        exchange.output = .done
        complete(exchange)
    }
}

extension Exchange {
    /// Whether more of the request's body is known to come than each connection has room for.
    var hasLongBodyLeft: Bool {
        switch input {
        case .length(let remaining): remaining > UInt64(BufferBudget.smallPieceBytes)
        case .chunked, .done: false
        }
    }

    /// Whether more of the request's body is to come than is thrown away for the sake of the connection.
    var hasMuchBodyLeft: Bool {
        if case .length(let remaining) = input {
            remaining > UInt64(ServerConfiguration.discardBytesMax)
        } else {
            false
        }
    }
}

extension HeadWriter {
    /// The status line: ours where the status is registered, else with the endpoint's reason.
    mutating func status(of head: ResponseHead, _ bytes: UnsafeRawBufferPointer) {
        if StatusLine.text(head.status).utf8CodeUnitCount > 0 { return statusLine(head.status) }
        raw("HTTP/1.1 ")
        decimal(UInt64(head.status))
        raw(" ")
        raw(UnsafeRawBufferPointer(rebasing: bytes[head.reason.bounds]))
        raw("\r\n")
    }
}
