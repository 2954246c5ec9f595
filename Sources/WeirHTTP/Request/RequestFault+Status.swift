// SPDX-License-Identifier: Apache-2.0
// What the client is told about a fault: the one place that maps rules to statuses and words.

extension RequestFault {
    /// The status of the answer: 400, 414, 417, 431, 501 or 505. The connection closes behind it.
    package var status: Int { kind.status }

    /// One clause, for the log and the problem document.
    package var reason: StaticString { kind.reason }
}

extension RequestFault.Kind {
    package var status: Int {
        switch self {
        case .requestLineTooLong: 414
        case .expectationUnsupported: 417
        case .headerTooLarge, .tooManyFields, .trailerTooLarge: 431
        case .methodTooLong: 501
        case .versionUnsupported: 505
        default: 400
        }
    }

    package var reason: StaticString {
        switch self {
        case .bareLineFeed: "a line ends in LF without CR"
        case .bareCarriageReturn: "CR without LF inside a line"
        case .requestLineTooLong: "the request line is longer than the limit"
        case .emptyRequestLine: "more than one empty line before the request line"
        case .methodInvalid: "the method is not a token"
        case .methodTooLong: "the method is longer than 32 bytes"
        case .requestLineMalformed: "the request line is not method, space, target, space, version"
        case .versionMalformed: "the protocol version is malformed"
        case .versionUnsupported: "the protocol version is not HTTP/1.0 or HTTP/1.1"
        case .targetByteInvalid: "the request target holds a byte that must be percent-encoded"
        case .targetFormInvalid: "the request target has no form that its method allows"
        case .targetSchemeUnsupported: "the scheme of the request target is neither http nor https"
        case .targetAuthorityInvalid: "the authority of the request target is not host or host:port"
        case .headerTooLarge: "the header section is longer than the limit"
        case .tooManyFields: "there are more fields than the limit"
        case .fieldLineFolded: "a line begins with whitespace: folded fields are refused"
        case .fieldNameEmpty: "a field has no name"
        case .fieldNameInvalid: "a field name is not a token"
        case .fieldNameSpace: "whitespace between field name and colon"
        case .fieldColonMissing: "a field line has no colon"
        case .fieldValueInvalid: "a field value holds a control byte"
        case .hostMissing: "HTTP/1.1 without Host"
        case .hostRepeated: "more than one Host field"
        case .hostInvalid: "Host is not host or host:port"
        case .hostMismatch: "Host differs from the authority of the request target"
        case .contentLengthInvalid: "Content-Length is not a decimal number below 2^63"
        case .contentLengthRepeated: "more than one Content-Length field"
        case .lengthAndCoding: "both Content-Length and Transfer-Encoding"
        case .codingInHTTP10: "Transfer-Encoding in HTTP/1.0"
        case .codingMalformed: "Transfer-Encoding is not a list of codings without parameters"
        case .chunkedRepeated: "the chunked coding is applied more than once"
        case .chunkedNotLast: "the chunked coding is not the last one"
        case .codingUnsupported: "a transfer coding other than chunked"
        case .connectionMalformed: "Connection is not a list of tokens"
        case .connectionTooLong: "Connection names more than 16 fields of its own"
        case .expectationUnsupported: "an expectation other than 100-continue"
        case .chunkLineTooLong: "a chunk-size line is longer than the limit"
        case .chunkSizeInvalid: "a chunk size is not 1 to 16 hexadecimal digits below 2^63"
        case .chunkExtensionInvalid: "a chunk extension is malformed"
        case .chunkDataUnterminated: "no CRLF behind the data of a chunk"
        case .trailerTooLarge: "the trailer section is longer than the limit"
        case .trailerForbidden: "a trailer field that must be in the header section"
        }
    }
}
