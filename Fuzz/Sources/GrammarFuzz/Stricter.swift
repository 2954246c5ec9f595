// SPDX-License-Identifier: Apache-2.0
// Where our parsers are stricter than the grammar: the rules for which they may refuse what the grammar reads, each with
// what must then be true of the message. They are laxer only where the slow readers say "Difference".

import WeirHTTP

enum Stricter {
    private static let limits = HTTPLimits()

    /// Whether a request that the grammar reads may be refused so.
    static func explains(_ kind: RequestFault.Kind, _ request: SlowRequest) -> Bool {
        let hosts = request.fields.values("host")
        switch kind {
        case .methodTooLong: return request.method.count > HTTPMethod.byteCountMax
        case .requestLineTooLong:
            // The two spaces, the version and the CRLF.
            return request.method.count + request.target.count + 12 > limits.requestLineBytesMax
        // Names that no resolver knows, ports above 65535, none to CONNECT to.
        case .targetAuthorityInvalid:
            let isTunnel = request.method == Array("CONNECT".utf8)
            return !SlowTarget.isPlainAuthority(SlowTarget.authority(of: request.target), portRequired: isTunnel)
        case .hostInvalid: return hosts.contains { !SlowTarget.isPlainAuthority($0) }
        // Another host than that of the target.
        case .hostMismatch:
            let authority = lowercase(SlowTarget.authority(of: request.target)[...])
            return hosts.contains { lowercase($0[...]) != authority }
        // RFC 9110 section 10.1.1 has one expectation.
        case .expectationUnsupported:
            return request.fields.values("expect").contains { lowercase($0[...]) != Array("100-continue".utf8) }
        default: return explains(kind, request.fields, byteCount: request.byteCount)
        }
    }

    /// Whether a head with these fields, which the grammar reads, may be refused so.
    static func explains(_ kind: RequestFault.Kind, _ fields: [SlowField], byteCount: Int) -> Bool {
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
                value.contains { !isToken([$0]) && $0 != UInt8(ascii: ",") && $0 != 0x20 && $0 != 0x09 }
                    || value.split(separator: UInt8(ascii: ","), omittingEmptySubsequences: false)
                        .contains { !isToken(trimmed($0)) }
            }
        default: return false
        }
    }

    /// Whether a body in chunks that the grammar reads may be refused so.
    static func explains(_ kind: RequestFault.Kind, _ body: SlowChunks) -> Bool {
        switch kind {
        case .chunkLineTooLong: return body.byteCount > limits.chunkLineBytesMax
        // Leading zeros that make it more than 16 digits.
        case .chunkSizeInvalid: return body.byteCount > 16
        case .trailerTooLarge: return body.byteCount > limits.trailerBytesMax
        case .tooManyFields: return body.trailers.count > limits.headerFieldsMax
        // RFC 9110 section 6.5.1 leaves it to the reader.
        case .trailerForbidden: return !body.trailers.isEmpty
        default: return false
        }
    }
}
