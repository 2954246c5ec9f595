// SPDX-License-Identifier: Apache-2.0
// How far OPTIONS and TRACE may go: Max-Forwards (RFC 9110 section 7.6.2). On the loop's thread; does not allocate.

import WeirHTTP
import WeirRouting

extension Exchange {
    /// How many may still pass the request on, from here; nil where nobody counts: another method, no such field, several
    /// of them, or a value that is no number.
    @inline(__always)
    var forwardsLeft: UInt64? {
        // One test of a bit for nearly every request.
        parser.pointee.fields.seen.contains(.maxForwards) ? readMaxForwards() : nil
    }

    private func readMaxForwards() -> UInt64? {
        switch parser.pointee.head.method {
        case .options, .trace: break
        default: return nil
        }
        let head = Span<UInt8>(_unsafeBytes: wholeHead)
        guard let index = parser.pointee.fields.index(of: .maxForwards),
            parser.pointee.fields.index(of: .maxForwards, from: index + 1) == nil
        else { return nil }
        return UInt64(digits: head.extracting(parser.pointee.field(index).value.bounds))
    }
}

extension HTTP1Connection {
    /// Answers in the endpoint's place a request that may not go further: what may be asked for here, and no TRACE, whose
    /// answer would be the client's own secrets.
    func answerAsLast(_ exchange: Exchange, on route: Route?) {
        let allowed = (route?.methods ?? DeclaredRoute.anyMethod).subtracting(.trace).withAutomaticMethods
        let headers: Headers = ["Allow": allowed.allowHeader]
        guard case .options = exchange.parser.pointee.head.method else {
            return answer(exchange, .methodNotAllowed, headers: headers)
        }
        respond(exchange, Response(.noContent, headers: headers))
    }
}
