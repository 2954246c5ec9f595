// SPDX-License-Identifier: Apache-2.0
// What each attempt adds to the head of a handler's request: where it goes, what is left, which request it is for.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension ClientCall {
    /// What the attempt's own fields come to at most, but for those of the request that the handler answers.
    private static let ownBytesMax = HeadWriter.deadlineBytesMax + ProxyProtocol.writtenBytesMax + 256

    /// Writes the head to the connection's output.
    func writeHead(
        _ head: ClientHead,
        of exchange: Exchange,
        until deadline: Nanoseconds,
        to connection: UpstreamConnection
    ) {
        let owner = exchange.owner
        let loop = owner.loop
        let version = connection.proxyProtocol
        if let version {
            // The call is the service's own, and not a client's.
            let room = loop.reserveOutput(connection.channel, ProxyProtocol.writtenBytesMax)
            let count = ProxyProtocol.write(version, source: nil, destination: nil, into: room)
            loop.commitOutput(connection.channel, count)
        }
        let authority = connection.endpoint.authorityBytes
        let room = loop.reserveOutput(
            connection.channel,
            head.bytes.count + authority.count + exchange.headCount + Self.ownBytesMax
        )
        var writer = HeadWriter(room)
        head.bytes.withUnsafeBytes { writer.raw($0) }
        if !head.hasHost {
            writer.raw("Host: ")
            writer.raw(authority)
            writer.raw("\r\n")
        }
        let left = deadline &- min(deadline, loop.now)
        if let name = owner.configuration.deadlineName {
            writer.deadline(name, left)
        } else {
            writer.envoyTimeout(left)
        }
        if !head.hasRequestID { writeRequestID(of: exchange, &writer) }
        if !head.hasTag { writeTag(of: exchange, &writer) }
        if !head.hasTrace { writeTrace(of: exchange, &writer) }
        if version != nil { writer.raw("Connection: close\r\n") }
        writer.end()
        precondition(!writer.overflowed, "the head's size was estimated too low")
        loop.commitOutput(connection.channel, writer.count)
    }

    private func writeRequestID(of exchange: Exchange, _ writer: inout HeadWriter) {
        writer.raw("X-Request-Id: ")
        if let given = exchange.givenRequestID {
            writer.raw(given)
        } else {
            writer.fixedHexadecimal(exchange.sequence)
        }
        writer.raw("\r\n")
    }

    /// The traffic tag, as a gateway would pass it on.
    private func writeTag(of exchange: Exchange, _ writer: inout HeadWriter) {
        let name = exchange.owner.configuration.tagName
        // As long as the request's head is there; one without a name has none.
        guard exchange.headCount > 0, !name.isEmpty, let tag = exchange.forwardedFieldValue(lowercaseName: name)
        else { return }
        name.withUnsafeBytes { writer.raw($0) }
        writer.raw(": ")
        writer.raw(tag)
        writer.raw("\r\n")
    }

    /// The request's trace with a span of this call's own; begun where the request has none, once for all its calls.
    private func writeTrace(of exchange: Exchange, _ writer: inout HeadWriter) {
        let owner = exchange.owner
        if let given = exchange.givenTrace {
            given.child(randomParentID: owner.random()).write(into: &writer)
            exchange.eachValue(of: .tracestate) { value in
                writer.raw("tracestate: ")
                writer.raw(value)
                writer.raw("\r\n")
            }
            return
        }
        if exchange.traceHigh | exchange.traceLow == 0 {
            let begun = TraceParent(
                randomTraceID: (owner.random(), owner.random()),
                randomParentID: owner.random(),
                isSampled: false
            )
            exchange.note(begun)
        }
        let trace = TraceParent(
            randomTraceID: (exchange.traceHigh, exchange.traceLow),
            randomParentID: owner.random(),
            isSampled: false
        )
        trace.write(into: &writer)
    }
}
