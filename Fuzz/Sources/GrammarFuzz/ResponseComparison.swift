// SPDX-License-Identifier: Apache-2.0
// Any bytes as a response, to each kind of request: what our parser reads, the RFC's grammar reads too and alike, and what
// goes on to the client is the same response.

import WeirHTTP

/// Compares both readers, and what they read of it once it is written as for a client, by the writer that the gateway has.
func compareResponses(_ bytes: [UInt8]) {
    for method in [HTTPMethod.get, .head, .connect] {
        compareResponses(bytes, method, Stricter.tightLimits)
        guard let response = compareResponses(bytes, method) else { continue }
        if response.body == .chunked { compareBodies(Array(bytes[response.byteCount...])) }
        // What follows a switch is no more HTTP.
        if response.status != 101 { passOn(response, bytes, method) }
    }
}

/// The response that both read; nil where there is none, in the same way for both.
@discardableResult
private func compareResponses(
    _ bytes: [UInt8],
    _ method: HTTPMethod,
    _ limits: HTTPLimits = HTTPLimits()
) -> SlowResponse? {
    let slow = SlowResponse.read(bytes, answering: method)
    var parser = ResponseParser(limits: limits)
    switch parser.parse(bytes.span, answering: method) {
    case .incomplete:
        precondition(slow == .incomplete, "the grammar sees a whole head")
    case .invalid(let fault):
        guard case .read(let response) = slow else { return nil }
        precondition(Stricter(limits).explains(fault.kind, response), "the grammar reads it: \(fault.kind)")
    case .complete:
        guard case .read(let response) = slow else { preconditionFailure("the grammar does not read it: \(slow)") }
        compare(parser, response, bytes)
        return response
    }
    return nil
}

private func compare(_ parser: borrowing ResponseParser, _ response: SlowResponse, _ bytes: [UInt8]) {
    let head = parser.head
    precondition(head.status == response.status && head.minorVersion == response.minorVersion, "another status line")
    precondition(Array(bytes[head.reason.bounds]) == response.reason, "another reason")
    precondition(head.byteCount == response.byteCount, "another end of the head")
    precondition(head.keepsAlive == response.keepsAlive, "another end of the connection")
    precondition(head.hasUpgrade == response.upgrades, "another upgrade")
    precondition(SlowField.all(parser.fields, in: bytes) == response.fields, "other fields")
    let body: SlowResponse.Body =
        switch head.framing {
        case .none: .none
        case .length(let length): .length(length)
        case .chunked: .chunked
        case .untilClose: .untilClose
        case .tunnel: .tunnel
        }
    precondition(body == response.body, "another body")
    let lengths = response.fields.values("content-length")
    precondition(head.contentLength == lengths.first.flatMap { number($0[...]) }, "another length")
}

/// Traps unless a client would read the same response, whichever of the two readers it has.
private func passOn(_ response: SlowResponse, _ bytes: [UInt8], _ method: HTTPMethod) {
    var parser = ResponseParser()
    precondition(parser.parse(bytes.span, answering: method) == .complete)
    let written = written(byteCount: bytes.count + 64) { writer in
        writer.raw("HTTP/1.1 ")
        writer.decimal(UInt64(response.status))
        writer.raw(" ")
        writer.raw(response.reason.span)
        writer.raw("\r\n")
        writer.forward(parser.fields, in: bytes.span, omitting: HeaderNameSet())
        if response.body == .chunked { writer.raw("Transfer-Encoding: chunked\r\n") }
        writer.end()
    }
    guard let again = compareResponses(written, method) else { preconditionFailure("written, it is no response") }
    precondition(again.status == response.status && again.reason == response.reason, "another status line")
    precondition(again.body == response.body, "another body")
    precondition(again.byteCount == written.count, "something stands behind the head")
    let hasNoLength = response.status < 200 || response.status == 204 || response.body == .tunnel
    let expected = response.fields.filter { field in
        if field.isNamed("transfer-encoding") || field.isNamed("content-length") && hasNoLength { return false }
        return field.goesOn(response.options)
    }
    precondition(again.fields.filter { !$0.isNamed("transfer-encoding") } == expected, "other fields")
}
