// SPDX-License-Identifier: Apache-2.0
// Where our parsers are stricter than the grammar: the rules for which they may refuse what the grammar reads, each with
// what must then be true of the message. They are laxer only where the slow readers say "Difference".

import WeirHTTP

struct Stricter {
    private let limits: HTTPLimits

    init(_ limits: HTTPLimits) {
        self.limits = limits
    }

    /// So small that short inputs reach each limit.
    static let tightLimits = {
        var limits = HTTPLimits()
        limits.requestLineBytesMax = 64
        limits.headerBytesMax = 256
        limits.headerFieldsMax = 4
        limits.trailerBytesMax = 64
        limits.chunkLineBytesMax = 16
        return limits
    }()

    /// Whether a request that the grammar reads may be refused so.
    func explains(_ kind: RequestFault.Kind, _ request: SlowRequest) -> Bool {
        let hosts = request.fields.values("host")
        let authority = SlowTarget.authority(of: request.target)
        switch kind {
        case .methodTooLong: return request.method.count > HTTPMethod.byteCountMax
        case .requestLineTooLong:
            // The two spaces, the version and the CRLF, and one in front.
            return request.method.count + request.target.count + 14 > limits.requestLineBytesMax
        // Names that no resolver knows, as one that begins with an asterisk, and ports above 65535.
        case .targetAuthorityInvalid, .targetFormInvalid:
            return authority.map { !SlowTarget.isPlainAuthority($0) } ?? false
        case .hostInvalid: return hosts.contains { !SlowTarget.isPlainAuthority($0) }
        // Another host than that of the target.
        case .hostMismatch:
            guard let authority else { return false }
            return hosts.contains { lowercase($0[...]) != lowercase(authority[...]) }
        // RFC 9110 section 10.1.1 has one expectation.
        case .expectationUnsupported:
            return request.fields.values("expect").contains { lowercase($0[...]) != Array("100-continue".utf8) }
        default: return explains(kind, request.fields, byteCount: request.byteCount)
        }
    }

    /// Whether a response that the grammar reads may be refused so.
    func explains(_ kind: ResponseFault.Kind, _ response: SlowResponse) -> Bool {
        let lengths = response.fields.values("content-length")
        let coded = response.fields.values("transfer-encoding")
        let codings = coded.flatMap { list($0) }.map { lowercase($0) }
        let chunked = Array("chunked".utf8)
        let forbidsBody = response.status < 200 || response.status == 204
        switch kind {
        case .statusLineTooLong: return response.reason.count + 15 > limits.requestLineBytesMax
        // RFC 9110 section 8.6, RFC 9112 section 6.1: a server may not send them there; some read a body by them.
        case .lengthNotAllowed: return forbidsBody && lengths.contains { number($0[...]) != 0 }
        case .codingNotAllowed: return forbidsBody && !coded.isEmpty
        // Where they say nothing by section 6.3, and another reader may think that they do.
        case .common(.codingInHTTP10): return response.minorVersion == 0 && !coded.isEmpty
        case .common(.lengthAndCoding): return !lengths.isEmpty && !coded.isEmpty
        case .common(.chunkedRepeated): return codings.count { $0 == chunked } > 1
        // Section 6.3 has the client read until the end.
        case .common(.chunkedNotLast): return codings.dropLast().contains(chunked)
        case .common(let kind): return explains(kind, response.fields, byteCount: response.byteCount)
        default: return false
        }
    }

    /// Whether a head with these fields, which the grammar reads, may be refused so.
    private func explains(_ kind: RequestFault.Kind, _ fields: [SlowField], byteCount: Int) -> Bool {
        let lengths = fields.values("content-length")
        let codings = fields.values("transfer-encoding")
        switch kind {
        case .headerTooLarge: return byteCount > limits.headerBytesMax
        case .tooManyFields: return fields.count > limits.headerFieldsMax
        case .connectionTooLong: return fields.connectionOptions.count > 16
        // Equal ones, as a list of fields.
        case .contentLengthRepeated: return lengths.count > 1
        // Equal ones in one field; 2^63 and more, or more than 19 digits.
        case .contentLengthInvalid:
            return lengths.contains { $0.count > 19 || number($0[...]).map { $0 > Int64.max } ?? true }
        // Codings that are not here.
        case .codingUnsupported:
            return codings.flatMap { list($0) }.contains { lowercase($0) != Array("chunked".utf8) }
        // Parameters of codings, and empty elements.
        case .codingMalformed:
            return codings.contains { value in
                value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                    .contains { !isToken(trimmed($0)) }
            }
        default: return false
        }
    }

    /// Whether a body in chunks that the grammar reads may be refused so.
    func explains(_ kind: RequestFault.Kind, _ body: SlowChunks) -> Bool {
        switch kind {
        case .chunkLineTooLong: return body.extent.longestLine > limits.chunkLineBytesMax
        // Leading zeros.
        case .chunkSizeInvalid: return body.extent.mostDigits > 16
        case .trailerTooLarge: return body.extent.trailers > limits.trailerBytesMax
        case .tooManyFields: return body.trailers.count > limits.headerFieldsMax
        // RFC 9110 section 6.5.1 leaves it to the reader.
        case .trailerForbidden: return body.trailers.contains { Self.isForbidden($0) }
        default: return false
        }
    }

    /// What frames, routes, authenticates, says who asks or how to read the content; and what CGI reads as one of these.
    private static func isForbidden(_ trailer: SlowField) -> Bool {
        let names = [
            "authorization", "connection", "content-encoding", "content-length", "content-range", "content-type",
            "cookie", "expect", "forwarded", "host", "keep-alive", "proxy-authenticate", "proxy-authentication-info",
            "proxy-authorization", "proxy-connection", "range", "te", "trailer", "transfer-encoding", "upgrade",
            "x-forwarded-client-cert", "x-forwarded-for", "x-forwarded-host", "x-forwarded-port", "x-forwarded-proto",
            "x-real-ip",
        ]
        return names.contains(where: trailer.isNamed) || trailer.name.contains(UInt8(ascii: "_"))
    }
}
