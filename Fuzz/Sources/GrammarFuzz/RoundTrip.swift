// SPDX-License-Identifier: Apache-2.0
// A request on its way to an endpoint: parsed, written by the writer that the proxy has, and parsed again.

import WeirHTTP

struct RoundTrip {
    private let request: SlowRequest
    private let bytes: [UInt8]

    /// `request` is what both readers see in `bytes`.
    init(_ request: SlowRequest, _ bytes: [UInt8]) {
        self.request = request
        self.bytes = bytes
    }

    /// Traps unless an endpoint would read the same request, whichever of the two readers it has.
    func check() {
        var parser = RequestParser()
        precondition(parser.parse(bytes.span) == .complete)
        let head = parser.head
        // The others are not passed on.
        guard head.form == .origin || head.form == .absolute else { return }
        let written = write(parser)
        guard let again = compareHeads(written) else { preconditionFailure("written, it is no request") }
        precondition(again.method == request.method && again.framing == request.framing)
        precondition(again.byteCount == written.count, "something stands behind the head")
        let path = bytes[head.path.bounds]
        let query = head.query.map { [UInt8(ascii: "?")] + bytes[$0.bounds] } ?? []
        precondition(again.target == (path.isEmpty ? Array("/".utf8) : Array(path)) + query, "another target")
        if !head.authority.isEmpty {
            precondition(again.fields.values("host") == [Array(bytes[head.authority.bounds])], "another host")
        }
        // Host and the coding are the proxy's to write.
        let own = ["host", "transfer-encoding"]
        precondition(
            again.fields.filter { field in !own.contains { field.isNamed($0) } } == request.fields.filter(goesOn),
            "other fields"
        )
    }

    /// HTTP/1.0 has no expectations.
    private func goesOn(_ field: SlowField) -> Bool {
        !(request.minorVersion == 0 && field.isNamed("expect")) && !field.isNamed("host")
            && field.goesOn(request.options)
    }

    private func write(_ parser: borrowing RequestParser) -> [UInt8] {
        let head = parser.head
        var omitted = HeaderNameSet()
        if head.form == .absolute { omitted.insert(.host) }
        if head.minorVersion == 0 { omitted.insert(.expect) }
        return written(byteCount: bytes.count + 256) { writer in
            writer.raw(bytes[head.methodRange.bounds].span)
            writer.raw(" ")
            if head.path.isEmpty { writer.raw("/") }
            writer.raw(bytes[head.path.bounds].span)
            if let query = head.query {
                writer.raw("?")
                writer.raw(bytes[query.bounds].span)
            }
            writer.raw(" HTTP/1.1\r\n")
            if head.form == .absolute || !parser.hasField(.host) {
                writer.raw("Host: ")
                if head.authority.isEmpty { writer.raw("endpoint") }
                writer.raw(bytes[head.authority.bounds].span)
                writer.raw("\r\n")
            }
            writer.forward(parser.fields, in: bytes.span, omitting: omitted)
            if head.framing == .chunked { writer.raw("Transfer-Encoding: chunked\r\n") }
            writer.end()
        }
    }

    /// The body in one chunk, with its trailers.
    static func write(_ body: SlowChunks) -> [UInt8] {
        let room = body.trailers.reduce(body.data.count) { $0 + $1.name.count + $1.value.count + 4 }
        return written(byteCount: room + 64) { writer in
            if !body.data.isEmpty {
                ChunkedEncoder.writeSize(body.data.count, into: &writer)
                writer.raw(body.data.span)
                writer.raw(ChunkedEncoder.dataEnd)
            }
            if body.trailers.isEmpty { return ChunkedEncoder.writeEnd(into: &writer) }
            ChunkedEncoder.writeLastChunk(into: &writer)
            for trailer in body.trailers {
                precondition(writer.field(name: trailer.name.span, value: trailer.value.span), "no field")
            }
            writer.end()
        }
    }
}
