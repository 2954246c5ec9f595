// SPDX-License-Identifier: Apache-2.0
// From a response to bytes: the head and short bodies in one piece, longer ones as the client takes them.

import Logging
import Synchronization
import WeirEventLoop
import WeirHTTP
import WeirMetrics

extension HTTP1Connection {
    /// What a status line, the Date, the framing and the Connection field need at most.
    private static let headBytesReserved = 320
    /// A body up to this size is sent in the same buffer as its head.
    private static let inlineBytesMax = 14 << 10

    /// How the body that follows a head is delimited.
    private enum Framing {
        case none
        case length(Int)
        case chunked
        case untilClose
    }

    /// Writes a handler's response; a streamed body is then produced by whoever called. Does nothing if the request
    /// has had its answer.
    func respond(_ exchange: Exchange, _ response: Response) {
        guard preparesResponse(exchange) else { return }
        switch response.body {
        case .failure(let error):
            owner.logHandlerError(exchange, error, "a response could not be encoded")
            respond(exchange, Problem.response(HTTPError(.internalServerError), exchange: exchange))
        case .file(let path):
            exchange.isAnsweredAtOnce = false
            owner.sendFile(path, response, for: exchange)
        case .empty:
            respond(exchange, response, UnsafeRawBufferPointer(start: nil, count: 0))
        case .bytes(let bytes):
            bytes.withUnsafeBytes { respond(exchange, response, $0) }
        case .text(let text):
            // Native strings are contiguous; one that came from elsewhere is copied first.
            if text.utf8.withContiguousStorageIfAvailable({
                respond(exchange, response, UnsafeRawBufferPointer($0))
            }) == nil {
                [UInt8](text.utf8).withUnsafeBytes { respond(exchange, response, $0) }
            }
        case .upstream(let upstream):
            // A client that is gone takes no answer, and an endpoint should not be asked for one.
            if exchange.isCancelled.load(ordering: .relaxed) { return breakOff() }
            owner.forward(exchange, to: upstream, adding: response.headers)
        case .stream where exchange.isAnsweredAtOnce:
            // A handler on the loop returned it: a task produces it, and calls here again.
            exchange.isAnsweredAtOnce = false
            owner.startStream(exchange, response)
        case .stream(let length, _):
            beginStream(exchange, response, length: length)
        }
    }

    /// Whether the request still wants its answer; decides whether that is the connection's last.
    @inline(__always)
    func preparesResponse(_ exchange: Exchange) -> Bool {
        guard exchange.output.isPending, exchange.isAwaited(by: self) else { return false }
        if loop.now >= retiresAt, !isLast {
            isLast = true
            metrics.increment(.connectionsRetired)
        }
        isLast = isLast || owner.server.isDraining
        return true
    }

    /// Answers with a problem document of the engine's own.
    func answer(_ exchange: Exchange, _ status: Status, _ message: String? = nil, headers: Headers = Headers()) {
        let error = HTTPError(status, message, headers: headers)
        respond(exchange, Problem.response(error, exchange: exchange))
    }

    /// Refuses a message that broke a rule: one answer, then the connection ends, because nothing after the fault can
    /// be trusted.
    func refuse(_ exchange: Exchange, _ fault: RequestFault) {
        metrics.increment(.parseFault(status: fault.status))
        beginUnrouted(exchange)
        isLast = true
        answer(exchange, Status(fault.status), "\(fault.reason)")
    }

    /// Begins an exchange whose head will not be complete, so that it can be answered.
    func beginUnrouted(_ exchange: Exchange) {
        phase = .exchange
        readDeadline = .max
        exchange.connection = self
        exchange.route = nil
        // Another request's, and of a route that may be gone.
        exchange.limitsReference = nil
        exchange.peer = peer
        if peer.isSecure { exchange.clientCertificate = clientCertificate }
        exchange.routeIndex = -1
        exchange.isAnsweredAtOnce = false
        exchange.startedAt = loop.now
        exchange.sequence = owner.nextSequence()
    }

    /// Writes head and body; `body` is the response's own memory, valid during the call.
    private func respond(_ exchange: Exchange, _ response: Response, _ body: UnsafeRawBufferPointer) {
        let code = response.status.code
        let hasNoContent = code == 204 || code == 304
        let sendsBody = !hasNoContent && !body.isEmpty && !exchange.isHead
        let isInline =
            sendsBody && body.count <= Self.inlineBytesMax
            && (body.count <= BufferBudget.smallPieceBytes || !loop.isShortOfBuffers)
        if !exchange.input.isDone { giveUpBody(exchange) }
        let framing: Framing = hasNoContent ? .none : .length(body.count)
        if isInline, code == 200, response.headers.isEmpty, !isLast, exchange.parser.pointee.head.minorVersion > 0,
            !exchange.hasRewrites,
            let prefix = owner.prefix(of: response.contentType)
        {
            var room = prefix.count + body.count + 32
            withLimitFields(of: exchange) { room += $0.fields.byteCountMax }
            withStrictTransport { room += $0.addedByteCount }
            var writer = HeadWriter(loop.reserveOutput(channel, room))
            if exchange.limitsReference == nil, !isTransportStrict {
                writer.response(prefix, body: body)
            } else {
                writer.raw(prefix)
                writer.decimal(UInt64(body.count))
                writer.raw("\r\n")
                withLimitFields(of: exchange) { $0.writeFields(exchange, into: &writer) }
                withStrictTransport { writer.edit($0) }
                writer.end()
                writer.raw(body)
            }
            loop.commitOutput(channel, writer.count)
            exchange.status = 200
            exchange.bodyBytesOut = UInt64(body.count)
            finishOutput(exchange)
            return
        }
        let inlineBody = isInline ? body : UnsafeRawBufferPointer(start: nil, count: 0)
        guard writeHead(exchange, response, framing, with: inlineBody) else { return }
        exchange.bodyBytesOut = UInt64(inlineBody.count)
        if sendsBody, !isInline {
            exchange.parts.pointee.pending = PendingBody(response.body)
            exchange.output = .copying
            exchange.isAnsweredAtOnce = false
            copyPending(exchange)
            return
        }
        finishOutput(exchange)
    }

    /// An answer that does not wait for the rest of the request's body: what still comes of it is thrown away, or the
    /// connection ends where that would be too much.
    func giveUpBody(_ exchange: Exchange) {
        guard !exchange.input.isDone else { return }
        if exchange.hasMuchBodyLeft { isLast = true }
        // The client waits for a 100 that it will not get; whether it sends the body now is unknown.
        if exchange.owesContinue { isLast = true }
        if case .collect = exchange.sink { exchange.parts.pointee.collected = [] }
        exchange.sink = .discard(byteCount: 0)
        exchange.parts.pointee.pieces.removeAll()
        exchange.noteHeld()
        // One that waits for more will get none.
        exchange.wakeReader()
        // A full window may have stopped it.
        resumeBodyClock()
        if !isLast, channel.isPaused { channel.resume(on: loop) }
    }

    /// Writes status line and fields, and behind them a short body; false when the handler's fields are no fields, and
    /// then the client got 500.
    private func writeHead(
        _ exchange: Exchange,
        _ response: Response,
        _ framing: Framing,
        with body: UnsafeRawBufferPointer = UnsafeRawBufferPointer(start: nil, count: 0)
    ) -> Bool {
        var estimate = Self.headBytesReserved + body.count
        if !response.headers.isEmpty {
            for field in response.headers.fields {
                estimate += field.name.utf8.count + field.value.utf8.count + 4
                if Self.asksForEnd(field) { isLast = true }
            }
        }
        if case .other(let type) = response.contentType { estimate += type.utf8.count + 20 }
        withLimitFields(of: exchange) { estimate += $0.fields.byteCountMax }
        withStrictTransport { estimate += $0.addedByteCount }
        exchange.withRewrites { estimate += $0.response.addedByteCount }
        if case .untilClose = framing { isLast = true }
        let room = loop.reserveOutput(channel, estimate)
        var writer = HeadWriter(room)
        owner.beginHead(response.status.code, into: &writer)
        if response.headers.isEmpty || response.headers["content-type"] == nil {
            writer.contentType(response.contentType)
        }
        if !response.headers.isEmpty, let malformed = writeFields(response.headers, into: &writer) {
            owner.logHandlerError(exchange, ResponseFieldError(name: malformed), "a response field is malformed")
            respond(exchange, Problem.response(HTTPError(.internalServerError), exchange: exchange))
            return false
        }
        withLimitFields(of: exchange) { $0.writeFields(exchange, into: &writer) }
        switch framing {
        case .none, .untilClose: break
        case .length(let count): writer.contentLength(UInt64(count))
        case .chunked: writer.raw("Transfer-Encoding: chunked\r\n")
        }
        if isLast {
            writer.raw("Connection: close\r\n")
        } else if exchange.parser.pointee.head.minorVersion == 0 {
            writer.raw("Connection: keep-alive\r\n")
        }
        withStrictTransport { writer.edit($0) }
        exchange.withRewrites { writer.edit($0.response) }
        writer.end()
        writer.raw(body)
        precondition(!writer.overflowed, "the head's size was estimated too low")
        loop.commitOutput(channel, writer.count)
        exchange.status = UInt16(response.status.code)
        return true
    }

    /// Writes a handler's fields; the name of the first that is none, if there is one.
    func writeFields(_ headers: Headers, into writer: inout HeadWriter) -> String? {
        for (name, value) in headers.fields where !Self.isEnginesOwn(name) {
            if !writer.field(name, value) { return name }
        }
        return nil
    }

    /// Whether a handler wants the connection to end behind its answer: `Connection: close`.
    private static func asksForEnd(_ field: (name: String, value: String)) -> Bool {
        field.name.utf8.count == 10 && field.value == "close" && Headers.matches(field.name, "connection")
    }

    /// Fields that say how the message is framed and how the connection goes on, which only the engine knows.
    static func isEnginesOwn(_ name: String) -> Bool {
        switch name.utf8.count {
        case 4: Headers.matches(name, "date")
        case 7: Headers.matches(name, "trailer")
        case 10: Headers.matches(name, "connection") || Headers.matches(name, "keep-alive")
        case 14: Headers.matches(name, "content-length")
        case 17: Headers.matches(name, "transfer-encoding")
        default: false
        }
    }

    // MARK: Bodies that take longer

    private func beginStream(_ exchange: Exchange, _ response: Response, length: Int?) {
        exchange.isAnsweredAtOnce = false
        let code = response.status.code
        let isHead = exchange.isHead
        let hasNoBody = isHead || code == 204 || code == 304
        let framing: Framing =
            if code == 204 || code == 304 {
                .none
            } else if let length {
                .length(length)
            } else if isHead {
                .none
            } else if exchange.parser.pointee.head.minorVersion == 0 {
                .untilClose
            } else {
                .chunked
            }
        if hasNoBody {
            giveUpBody(exchange)
        } else if exchange.takesBody {
            // The producer may read the request's body, and behind the final head it is too late to ask for it.
            sendContinue(exchange)
        }
        guard writeHead(exchange, response, framing) else { return }
        if hasNoBody { return finishOutput(exchange) }
        exchange.output =
            switch framing {
            case .length(let count): .sized(remaining: count)
            case .untilClose: .untilClose
            case .none, .chunked: .chunked
            }
        flushSoon()
        settle()
    }

    /// Sends what a task has written: with what it writes next in this turn, in one call, unless that is much already.
    /// While bytes are received, their end does it.
    private func flushSoon() {
        guard !isReceiving else { return }
        if isOutputFull { loop.flush(channel) } else { loop.flushAtTurnEnd(channel) }
    }

    /// Appends a piece of a produced body; false when there is no taker any more, or the piece is too long.
    func write(_ exchange: Exchange, _ bytes: UnsafeRawBufferPointer) -> Bool {
        guard exchange.isAwaited(by: self), phase == .exchange else { return false }
        guard !bytes.isEmpty else { return true }
        switch exchange.output {
        case .sized(let remaining) where bytes.count > remaining: return false
        case .pending, .copying, .done: return false
        case .sized, .chunked, .untilClose: forwardBody(exchange, bytes)
        }
        flushSoon()
        return channel.isOpen
    }

    /// Whether a producer must wait until the client has taken more.
    var isOutputFull: Bool { loop.isOutputFull(channel, configuration.outputWindowBytes) }

    /// Ends a produced body.
    func endStream(_ exchange: Exchange) {
        guard exchange.isAwaited(by: self), phase == .exchange else { return }
        switch exchange.output {
        case .chunked:
            if exchange.parts.pointee.responseTrailers.isEmpty {
                writeFraming { ChunkedEncoder.writeEnd(into: &$0) }
            } else {
                writeTrailers(exchange)
            }
        case .sized(let remaining) where remaining > 0:
            owner.logHandlerError(exchange, ResponseWriterError.tooShort, "the body of a response is shorter than said")
            breakOff()
            return
        case .sized, .untilClose: break
        case .pending, .copying, .done: return
        }
        giveUpBody(exchange)
        finishOutput(exchange)
    }

    private func writeTrailers(_ exchange: Exchange) {
        let trailers = exchange.parts.pointee.responseTrailers
        var count = 8
        for field in trailers.fields { count += field.name.utf8.count + field.value.utf8.count + 4 }
        var writer = HeadWriter(loop.reserveOutput(channel, count))
        ChunkedEncoder.writeLastChunk(into: &writer)
        for (name, value) in trailers.fields where !Self.isEnginesOwn(name) {
            // What is no field is left out: the head has long gone, so it cannot become a 500.
            _ = writer.field(name, value)
        }
        exchange.withRewrites { writer.remove($0.response) }
        writer.end()
        loop.commitOutput(channel, writer.count)
    }

    func writeFraming(_ body: (inout HeadWriter) -> Void) {
        var writer = HeadWriter(loop.reserveOutput(channel, ChunkedEncoder.sizeByteCountMax))
        body(&writer)
        loop.commitOutput(channel, writer.count)
    }

    /// Copies a body in memory to the output as far as the client takes it.
    func copyPending(_ exchange: Exchange) {
        while true {
            while !isOutputFull {
                let (count, isEnd) = exchange.parts.pointee.pending.copy(into: loop.reserveOutput(channel, 2048))
                loop.commitOutput(channel, count)
                exchange.bodyBytesOut &+= UInt64(count)
                if isEnd {
                    exchange.parts.pointee.pending = PendingBody()
                    return finishOutput(exchange)
                }
            }
            loop.flush(channel)
            guard channel.isOpen, !isOutputFull else { break }
        }
        settle()
    }

    // MARK: The end

    func finishOutput(_ exchange: Exchange) {
        exchange.output = .done
        if exchange.input.isDone || isLast {
            complete(exchange)
            return
        }
        // Where room is short, who has had an answer and does not end the request makes some.
        channel.setIdle(since: loop.now, isNew: true)
        guard !isReceiving else { return }
        loop.flush(channel)
        settle()
    }

    /// Both halves are done, or the connection ends: the exchange is over.
    func complete(_ exchange: Exchange) {
        guard isAt(exchange), let lease = leased else { return }
        if exchange.stream != .none { leaveStream(exchange) }
        owner.record(exchange)
        leased = nil
        exchange.connection = nil
        readDeadline = .max
        // While bytes are received, `received` takes the exchange out of use.
        if !isReceiving { owner.retire(lease) }
        if isLast {
            phase = .closing
            finishChannel()
            if !isReceiving { loop.flush(channel) }
            return
        }
        phase = .idle
        if channel.isPaused { channel.resume(on: loop) }
        if !isReceiving {
            loop.flush(channel)
            if phase == .idle { settle() }
        }
    }

}

extension HeadWriter {
    /// Writes a field that comes from a handler; false, and nothing written, if it is none.
    mutating func field(_ name: String, _ value: String) -> Bool {
        var (name, value) = (name, value)
        return name.withUTF8 { name in
            value.withUTF8 { field(name: Span(_unsafeElements: name), value: Span(_unsafeElements: $0)) }
        }
    }

    mutating func contentType(_ type: ContentType) {
        switch type {
        case .none: break
        case .text: raw("Content-Type: text/plain; charset=utf-8\r\n")
        case .json: raw("Content-Type: application/json\r\n")
        case .problem: raw("Content-Type: application/problem+json\r\n")
        case .octets: raw("Content-Type: application/octet-stream\r\n")
        case .html: raw("Content-Type: text/html; charset=utf-8\r\n")
        case .other(var type):
            _ = type.withUTF8 { field("Content-Type", value: Span(_unsafeElements: $0)) }
        }
    }
}
