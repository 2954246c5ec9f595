// SPDX-License-Identifier: Apache-2.0
// Any bytes as a request, a response and a body in chunks: what our parsers read, the RFC's grammar reads too and alike, and
// it goes on as the same message.

import WeirHTTP

@c(LLVMFuzzerTestOneInput)
public func fuzzGrammar(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    compareBodies(bytes)
    compareBodies(bytes, Stricter.tightLimits)
    compareResponses(bytes)
    compareHeads(bytes, Stricter.tightLimits)
    guard let request = compareHeads(bytes) else { return 0 }
    RoundTrip(request, bytes).check()
    if request.framing == .chunked { compareBodies(Array(bytes[request.byteCount...])) }
    return 0
}

/// The request that both read; nil where there is none, in the same way for both.
@discardableResult
func compareHeads(_ bytes: [UInt8], _ limits: HTTPLimits = HTTPLimits()) -> SlowRequest? {
    let slow = SlowRequest.read(bytes)
    var parser = RequestParser(limits: limits)
    switch parser.parse(bytes.span) {
    case .incomplete:
        precondition(slow == .incomplete, "the grammar sees a whole head")
    case .invalid(let fault):
        if case .read(let request) = slow {
            precondition(Stricter(limits).explains(fault.kind, request), "the grammar reads it: \(fault.kind)")
        }
    case .complete:
        guard case .read(let request) = slow else { preconditionFailure("the grammar does not read it: \(slow)") }
        compare(parser, request, bytes)
        return request
    }
    return nil
}

private func compare(_ parser: borrowing RequestParser, _ request: SlowRequest, _ bytes: [UInt8]) {
    let head = parser.head
    precondition(Array(bytes[head.methodRange.bounds]) == request.method, "another method")
    precondition(head.method == .other || "\(head.method.name)" == String(decoding: request.method, as: UTF8.self))
    precondition(Array(bytes[head.target.bounds]) == request.target, "another target")
    precondition(head.minorVersion == request.minorVersion, "another version")
    precondition(head.byteCount == request.byteCount, "another end of the head")
    precondition(head.keepsAlive == request.keepsAlive, "another end of the connection")
    precondition(SlowField.all(parser.fields, in: bytes) == request.fields, "other fields")
    let framing: SlowFraming =
        switch head.framing {
        case .none: .none
        case .length(let length): .length(length)
        case .chunked: .chunked
        }
    precondition(framing == request.framing, "another body")
    comparePieces(head, request, bytes)
}

/// The target's pieces make the target, and the authority is that of the target or of Host.
private func comparePieces(_ head: RequestHead, _ request: SlowRequest, _ bytes: [UInt8]) {
    let authority = Array(bytes[head.authority.bounds])
    let query = head.query.map { [UInt8(ascii: "?")] + bytes[$0.bounds] } ?? []
    let path = Array(bytes[head.path.bounds])
    switch head.form {
    case .origin: precondition(path + query == request.target)
    case .asterisk: precondition(request.target == Array("*".utf8))
    case .authority: precondition(authority == request.target)
    case .absolute:
        let scheme = head.scheme == .https ? "https://" : "http://"
        precondition(Array(request.target.dropFirst(scheme.utf8.count)) == authority + path + query)
    }
    if head.form == .origin || head.form == .asterisk {
        precondition(authority == request.fields.values("host").first ?? [], "another host")
    }
}

/// What both read of a chunked body.
func compareBodies(_ bytes: [UInt8], _ limits: HTTPLimits = HTTPLimits()) {
    let slow = SlowChunks.read(bytes)
    switch decode(bytes, limits) {
    case .incomplete: precondition(slow == .incomplete, "the grammar sees more than the beginning of a body")
    case .invalid(let kind):
        if case .read(let body) = slow {
            precondition(Stricter(limits).explains(kind, body), "the grammar reads it: \(kind)")
        }
    case .read(let body):
        precondition(slow == .read(body), "another body, or none")
        let written = RoundTrip.write(body)
        guard case .read(var again) = decode(written) else { preconditionFailure("written, it is no body") }
        precondition(SlowChunks.read(written) == .read(again))
        again.byteCount = body.byteCount
        precondition(again == body, "written, it is another body")
    }
}

private enum Decoded {
    case incomplete
    case invalid(RequestFault.Kind)
    case read(SlowChunks)
}

private func decode(_ bytes: [UInt8], _ limits: HTTPLimits = HTTPLimits()) -> Decoded {
    var decoder = ChunkedDecoder(limits: limits)
    var body = SlowChunks()
    while true {
        let rest = Array(bytes[body.byteCount...])
        switch decoder.next(rest.span) {
        case .data(let skip, let count):
            body.data += rest[skip..<(skip + count)]
            body.byteCount += skip + count
        case .incomplete: return .incomplete
        case .invalid(let fault): return .invalid(fault.kind)
        case .end(let consumed, let section):
            var iterator = TrailerIterator(section)
            while let field = iterator.next(rest.span) {
                body.trailers.append(
                    SlowField(name: Array(rest[field.name.bounds]), value: Array(rest[field.value.bounds]))
                )
            }
            body.byteCount += consumed
            return .read(body)
        }
    }
}
