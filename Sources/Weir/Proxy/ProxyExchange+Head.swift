// SPDX-License-Identifier: Apache-2.0
// The request's head as it goes on: what the client sent, less what was meant for the gateway, and who asks.

import WeirEventLoop
import WeirHTTP
import WeirRouting
import WeirUpstream

extension ProxyExchange {
    /// Fields that the gateway writes itself, and what an endpoint might take for one of them.
    private static let ownFields = HeaderNameSet(
        .forwarded,
        .xForwardedFor,
        .xForwardedProto,
        .xForwardedHost,
        .lookalike
    )
    /// Fields that say who the client is, and that nobody but a trusted proxy may write.
    private static let clientFields = HeaderNameSet(.xRealIP, .xForwardedPort, .xForwardedClientCert)
    /// Fields that say what is left of the deadline, and are written with what is left now.
    private static let deadlineFields = HeaderNameSet(.grpcTimeout, .xEnvoyExpectedRequestTimeout, .deadline)
    /// Line ends, names, version, Via, request id and trace.
    private static let fixedBytesMax = 512

    /// Begins a connection that speaks for one client: says who it is (PROXY protocol).
    func writeProxyHeader(_ version: ProxyProtocol.Version, of exchange: Exchange, to connection: UpstreamConnection) {
        guard let client = exchange.connection else { return }
        let room = exchange.owner.loop.reserveOutput(connection.channel, ProxyProtocol.writtenBytesMax)
        let count = ProxyProtocol.write(
            version,
            source: client.peerAddress,
            destination: client.target,
            into: room
        )
        exchange.owner.loop.commitOutput(connection.channel, count)
    }

    /// Writes the head to the connection's output.
    func writeHead(of exchange: Exchange, to connection: UpstreamConnection, isCopy: Bool = false) {
        guard let (fields, isPeerTrusted) = exchange.withConnection({ ($0.clientFields(), $0.isPeerTrusted) }) else {
            return
        }
        let head = exchange.parser.pointee.head
        let authority = exchange.authority(else: connection.endpoint)
        let path = exchange.forwardedPath
        var room =
            Int(head.byteCount) + exchange.parser.pointee.fieldCount + 2 * authority.count + ClientFields.bytesMax
            + HeadWriter.deadlineBytesMax + Self.fixedBytesMax
        exchange.withRewrites { room += $0.request.addedByteCount + $0.path.byteCount(path) + $0.host.count }
        if let certificate = exchange.clientCertificate { room += certificate.field.count }
        let output = loop.reserveOutput(connection.channel, room)
        var writer = HeadWriter(output)
        if !forwardedHead.write(of: exchange, isPeerTrusted, into: &writer) {
            writeStartLine(of: exchange, &writer, head, path)
            writeFields(of: exchange, &writer, head, authority, isPeerTrusted)
            forwardedHead.keep(UnsafeRawBufferPointer(rebasing: output[..<writer.count]), of: exchange, isPeerTrusted)
        }
        writeIdentity(of: exchange, &writer)
        writeDeadline(of: exchange, &writer)
        writeClient(of: exchange, &writer, fields, isPeerTrusted)
        writer.raw(head.minorVersion == 0 ? "Via: 1.0 weir\r\n" : "Via: 1.1 weir\r\n")
        if head.isChunked { writer.raw("Transfer-Encoding: chunked\r\n") }
        if exchange.asksForUpgrade {
            writer.raw("Connection: upgrade\r\n")
            writeLines(of: exchange, .upgrade, "Upgrade: ", &writer)
        } else if connection.proxyProtocol != nil {
            writer.raw("Connection: close\r\n")
        }
        exchange.withRewrites { writer.edit($0.request) }
        if isCopy { writer.raw(RouteMirror.mark) }
        writer.end()
        precondition(!writer.overflowed, "the head's size was estimated too low")
        loop.commitOutput(connection.channel, writer.count)
    }

    private func writeStartLine(
        of exchange: Exchange,
        _ writer: inout HeadWriter,
        _ head: RequestHead,
        _ path: UnsafeRawBufferPointer
    ) {
        writer.raw(exchange.bytes(head.methodRange))
        writer.raw(" ")
        if exchange.hasRewrites {
            exchange.withRewrites { $0.path.write(path, into: &writer) }
        } else {
            writer.raw(path)
        }
        if let query = head.query {
            writer.raw("?")
            writer.raw(exchange.bytes(query))
        }
        writer.raw(" HTTP/1.1\r\n")
    }

    /// The client's own fields.
    private func writeFields(
        of exchange: Exchange,
        _ writer: inout HeadWriter,
        _ head: RequestHead,
        _ authority: UnsafeRawBufferPointer,
        _ isPeerTrusted: Bool
    ) {
        var omitted = isPeerTrusted ? Self.ownFields : Self.ownFields.union(Self.clientFields)
        let seen = exchange.parser.pointee.fields.seen
        // The authority of an absolute target counts more than Host (RFC 9112 section 3.2.2).
        if case .absolute = head.form { omitted.insert(.host) }
        if writesHost(of: exchange, &writer) {
            omitted.insert(.host)
        } else if !seen.contains(.host) || omitted.contains(.host) {
            writer.raw("Host: ")
            writer.raw(authority)
            writer.raw("\r\n")
        }
        // Anew: not every reader takes leading zeros, or a tab before them, as the parser does.
        if case .length(let byteCount) = head.framing {
            omitted.insert(.contentLength)
            writer.contentLength(byteCount)
        }
        if head.minorVersion == 0 { omitted.insert(.expect) }
        if let left = exchange.forwardsLeft, left > 0 {
            omitted.insert(.maxForwards)
            writer.raw("Max-Forwards: ")
            writer.decimal(left - 1)
            writer.raw("\r\n")
        }
        if exchange.hasDeadlineField { omitted = omitted.union(Self.deadlineFields) }
        // Ours stand behind, where these say nothing.
        if exchange.givenRequestID == nil { omitted.insert(.xRequestID) }
        if exchange.givenTrace == nil { omitted.insert(.traceparent) }
        // The head is the exchange's own copy.
        let bytes = Span<UInt8>(_unsafeBytes: exchange.wholeHead)
        writer.forward(exchange.parser.pointee.fields, in: bytes, omitting: omitted)
    }

    /// Request id and trace, where the client sent none.
    private func writeIdentity(of exchange: Exchange, _ writer: inout HeadWriter) {
        if exchange.givenRequestID == nil {
            writer.raw("X-Request-Id: ")
            writer.fixedHexadecimal(exchange.sequence)
            writer.raw("\r\n")
        }
        let trace = traceParent(of: exchange)
        if trace.isNew { trace.value.write(into: &writer) }
    }

    /// Writes the Host field that the route says; false where it says none.
    private func writesHost(of exchange: Exchange, _ writer: inout HeadWriter) -> Bool {
        var isWritten = false
        exchange.withRewrites { rewrites in
            if rewrites.host.isEmpty { return }
            writer.raw("Host: ")
            rewrites.host.withUnsafeBytes { writer.raw($0) }
            writer.raw("\r\n")
            isWritten = true
        }
        return isWritten
    }

    /// What is left: in the fields that the client used, and in that of the settings.
    private func writeDeadline(of exchange: Exchange, _ writer: inout HeadWriter) {
        let name = owner.configuration.deadlineName
        guard name != nil || exchange.hasDeadlineField else { return }
        let left = exchange.timeLeft(at: loop.now)
        let seen = exchange.parser.pointee.fields.seen
        if seen.contains(.grpcTimeout) { writer.grpcTimeout(left) }
        if seen.contains(.xEnvoyExpectedRequestTimeout) { writer.envoyTimeout(left) }
        if let name { writer.deadline(name, left) }
    }

    /// The client's trace, or a new one: the same for all attempts and copies of a request, each with a span of its own.
    private func traceParent(of exchange: Exchange) -> (value: TraceParent, isNew: Bool) {
        if let given = exchange.givenTrace {
            exchange.note(given)
            return (given, false)
        }
        let isBegun = exchange.traceHigh | exchange.traceLow != 0
        let new = TraceParent(
            randomTraceID: isBegun ? (exchange.traceHigh, exchange.traceLow) : (owner.random(), owner.random()),
            randomParentID: owner.random(),
            isSampled: false
        )
        exchange.note(new)
        return (new, true)
    }

    /// Who asks: what trusted proxies have said, and the peer.
    private func writeClient(
        of exchange: Exchange,
        _ writer: inout HeadWriter,
        _ client: ClientFields,
        _ isPeerTrusted: Bool
    ) {
        // Empty where an HTTP/1.0 client named no host: then nothing is said of it.
        let asked = exchange.bytes(exchange.parser.pointee.head.authority)
        let seen = exchange.parser.pointee.fields.seen
        if isPeerTrusted, seen.contains(.xForwardedProto) {
            writeLines(of: exchange, .xForwardedProto, "X-Forwarded-Proto: ", &writer)
            writer.raw("X-Forwarded-For: ")
            if seen.contains(.xForwardedFor) { writeValues(of: exchange, .xForwardedFor, &writer) }
            writer.raw(client.address)
        } else if isPeerTrusted, seen.contains(.xForwardedFor) {
            writer.raw(client.forwardedProto)
            writer.raw("X-Forwarded-For: ")
            writeValues(of: exchange, .xForwardedFor, &writer)
            writer.raw(client.address)
        } else {
            writer.raw(client.forwardedFor)
        }
        writer.raw("\r\n")
        if isPeerTrusted, seen.contains(.xForwardedHost) {
            writeLines(of: exchange, .xForwardedHost, "X-Forwarded-Host: ", &writer)
        } else if !asked.isEmpty {
            writer.raw("X-Forwarded-Host: ")
            writer.raw(asked)
            writer.raw("\r\n")
        }
        // Of the two the one that the client was found by; the other may be the client's own.
        if isPeerTrusted, seen.contains(.forwarded), !seen.contains(.xForwardedFor) {
            writeLines(of: exchange, .forwarded, "Forwarded: ", &writer)
        }
        // Behind what trusted proxies have said of theirs: the last is the nearest.
        exchange.clientCertificate?.field.withUnsafeBytes { writer.raw($0) }
        // RFC 8470 section 5.1; the client's own, or that of a proxy in front, has gone on with its fields.
        if exchange.peer.isEarly { writer.raw("Early-Data: 1\r\n") }
        writer.raw(client.forwarded)
        if asked.isEmpty { return writer.raw("\r\n") }
        writer.raw(";host=\"")
        writer.raw(asked)
        writer.raw("\"\r\n")
    }

    /// The values of all lines of this name, each with a comma behind it.
    private func writeValues(of exchange: Exchange, _ name: HeaderName, _ writer: inout HeadWriter) {
        exchange.eachValue(of: name) { value in
            writer.raw(value)
            writer.raw(", ")
        }
    }

    /// All lines of this name, as they came.
    private func writeLines(
        of exchange: Exchange,
        _ name: HeaderName,
        _ prefix: StaticString,
        _ writer: inout HeadWriter
    ) {
        exchange.eachValue(of: name) { value in
            writer.raw(prefix)
            writer.raw(value)
            writer.raw("\r\n")
        }
    }
}

extension Exchange {
    /// The host that the request is for; the endpoint's own where an HTTP/1.0 client named none.
    func authority(else endpoint: Endpoint) -> UnsafeRawBufferPointer {
        let range = parser.pointee.head.authority
        if !range.isEmpty { return bytes(range) }
        // The endpoint keeps the array as long as it lives, which is longer than any request to it.
        return endpoint.authorityBytes
    }

    /// Calls `body` with the value of each line of this name.
    func eachValue(of name: HeaderName, _ body: (UnsafeRawBufferPointer) -> Void) {
        for index in 0..<parser.pointee.fieldCount {
            let field = parser.pointee.field(index)
            if field.known == name { body(bytes(field.value)) }
        }
    }

    /// The client's traceparent; nil without a valid one.
    var givenTrace: TraceParent? {
        guard parser.pointee.fields.seen.contains(.traceparent), let field = parser.pointee.fields.first(.traceparent)
        else { return nil }
        return TraceParent(Span<UInt8>(_unsafeBytes: bytes(field.value)))
    }

    /// Keeps for the access log to which trace the request belongs.
    func note(_ trace: TraceParent) {
        traceHigh = trace.traceIDUpper
        traceLow = trace.traceIDLower
        spanID = trace.parentID
    }

    /// All bytes of the head that was copied.
    var wholeHead: UnsafeRawBufferPointer { UnsafeRawBufferPointer(start: head, count: headCount) }
}
