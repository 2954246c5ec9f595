// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

/// A response that must be refused, with `^` before the byte that breaks the rule.
struct ResponseFaultCase: CustomTestStringConvertible, Sendable {
    let bytes: [UInt8]
    let fault: ResponseFault

    init(_ kind: ResponseFault.Kind, _ marked: String) {
        var bytes = Array(marked.utf8)
        guard let mark = bytes.firstIndex(of: UInt8(ascii: "^")) else { preconditionFailure("no mark in \(marked)") }
        bytes.remove(at: mark)
        self.bytes = bytes
        fault = ResponseFault(kind, at: mark)
    }

    /// With this status line.
    static func line(_ kind: ResponseFault.Kind, _ marked: String) -> ResponseFaultCase {
        ResponseFaultCase(kind, "\(marked)\r\nContent-Length: 0\r\n\r\n")
    }

    /// With this status and these lines.
    static func fields(_ kind: RequestFault.Kind, _ marked: String, status: Int = 200) -> ResponseFaultCase {
        ResponseFaultCase(.common(kind), "HTTP/1.1 \(status) OK\r\n\(marked)\r\n\r\n")
    }

    /// With this status and these lines, against a rule that only responses have.
    static func status(_ status: Int, _ kind: ResponseFault.Kind, _ marked: String) -> ResponseFaultCase {
        ResponseFaultCase(kind, "HTTP/1.1 \(status) OK\r\n\(marked)")
    }

    var testDescription: String { "\(fault.kind): \(String(decoding: bytes, as: UTF8.self).debugDescription)" }
}

@Suite("ResponseFault") struct ResponseFaultTests {
    static let statusLines = [
        ResponseFaultCase.line(.common(.bareLineFeed), "HTTP/1.1 200 OK^\nA: b"),
        .line(.common(.bareLineFeed), "^\nHTTP/1.1 200 OK"),
        .line(.common(.bareLineFeed), "HTTP^\n"),
        .line(.common(.versionMalformed), "^"),
        .line(.common(.versionMalformed), "^\r\nHTTP/1.1 200 OK"),
        .line(.common(.versionMalformed), "^ HTTP/1.1 200 OK"),
        .line(.common(.versionMalformed), "^http/1.1 200 OK"),
        .line(.common(.versionMalformed), "^ICY 200 OK"),
        .line(.common(.versionMalformed), "^HTTP/1. 200 OK"),
        .line(.common(.versionMalformed), "^HTTP/11.1 200 OK"),
        .line(.common(.versionMalformed), "^<html>hello"),
        .line(.common(.versionMalformed), "^HTTP/1"),
        .line(.common(.bareCarriageReturn), "^\rHTTP/1.1 200 OK"),
        .line(.common(.versionUnsupported), "^HTTP/2.0 200 OK"),
        .line(.common(.versionUnsupported), "^HTTP/0.9 200 OK"),
        .line(.statusLineMalformed, "HTTP/1.1^"),
        .line(.statusLineMalformed, "HTTP/1.1^ "),
        .line(.statusLineMalformed, "HTTP/1.1^ 20"),
        .line(.statusLineMalformed, "HTTP/1.1^0 200 OK"),
        .line(.statusLineMalformed, "HTTP/1.1^\t200 OK"),
        .line(.statusLineMalformed, "HTTP/1.1 ^ 200 OK"),
        .line(.statusLineMalformed, "HTTP/1.1 ^OK OK"),
        .line(.statusLineMalformed, "HTTP/1.1 20^ OK"),
        .line(.statusLineMalformed, "HTTP/1.1 ^+20 OK"),
        .line(.statusLineMalformed, "HTTP/1.1 2^.0 OK"),
        .line(.statusLineMalformed, "HTTP/1.1 200^0 OK"),
        .line(.statusLineMalformed, "HTTP/1.1 200^OK"),
        .line(.statusLineMalformed, "HTTP/1.1 200^\tOK"),
        .line(.common(.bareCarriageReturn), "HTTP/1.1^\r200 OK"),
        .line(.common(.bareCarriageReturn), "HTTP/1.1 2^\r0 OK"),
        .line(.common(.bareCarriageReturn), "HTTP/1.1 200^\r"),
        .line(.common(.bareCarriageReturn), "HTTP/1.1 200 ^\rSet-Cookie: a"),
        .line(.statusOutOfRange, "HTTP/1.1 ^099 OK"),
        .line(.statusOutOfRange, "HTTP/1.1 ^000 OK"),
        .line(.statusOutOfRange, "HTTP/1.1 ^600 OK"),
        .line(.statusOutOfRange, "HTTP/1.1 ^999"),
        .line(.reasonInvalid, "HTTP/1.1 200 O^\0K"),
        .line(.reasonInvalid, "HTTP/1.1 200 ^\u{1b}[2J"),
        .line(.reasonInvalid, "HTTP/1.1 200 OK^\u{7f}"),
    ]

    static let fieldLines = [
        ResponseFaultCase.fields(.bareLineFeed, "A: b^\nC: d"),
        .fields(.bareLineFeed, "A: b\r\n^\nC: d"),
        .fields(.bareLineFeed, "^\n"),
        .fields(.bareCarriageReturn, "A: b^\rC: d"),
        .fields(.bareCarriageReturn, "^\rA: b"),
        .fields(.fieldLineFolded, "A: b\r\n^ c"),
        .fields(.fieldLineFolded, "^\tA: b"),
        .fields(.fieldNameEmpty, "^: b"),
        .fields(.fieldNameSpace, "A^ : b"),
        .fields(.fieldNameSpace, "Content-Length^\t: 5"),
        .fields(.fieldNameInvalid, "A^(: b"),
        .fields(.fieldColonMissing, "A^"),
        .fields(.fieldValueInvalid, "A: b^\0c"),
        .fields(.fieldValueInvalid, "A: ^\u{7f}"),
        .fields(.connectionMalformed, "Connection: close^;x"),
    ]

    static let framings = [
        ResponseFaultCase.fields(.contentLengthInvalid, "Content-Length: ^+5"),
        .fields(.contentLengthInvalid, "Content-Length: 5^, 5"),
        .fields(.contentLengthInvalid, "Content-Length: ^-1"),
        .fields(.contentLengthInvalid, "Content-Length: ^9223372036854775808"),
        .fields(.contentLengthInvalid, "Content-Length:^"),
        .fields(.contentLengthInvalid, "Content-Length: ^x", status: 304),
        .fields(.contentLengthInvalid, "Content-Length: ^x", status: 204),
        .fields(.contentLengthRepeated, "Content-Length: 5\r\n^Content-Length: 5"),
        .fields(.contentLengthRepeated, "Content-Length: 5\r\n^Content-Length: 6"),
        .fields(.contentLengthRepeated, "Content-Length: 0\r\n^Content-Length: 0", status: 204),
        .fields(.lengthAndCoding, "Content-Length: 5\r\n^Transfer-Encoding: chunked"),
        .fields(.lengthAndCoding, "Transfer-Encoding: chunked\r\n^Content-Length: 5"),
        .fields(.lengthAndCoding, "Transfer-Encoding: chunked\r\n^Content-Length: 5", status: 304),
        .fields(.codingMalformed, "Transfer-Encoding: chunked,^"),
        .fields(.codingMalformed, "Transfer-Encoding: chunked^;a=b"),
        .fields(.chunkedRepeated, "Transfer-Encoding: chunked, ^chunked"),
        .fields(.chunkedRepeated, "Transfer-Encoding: chunked\r\nTransfer-Encoding: ^chunked"),
        .fields(.chunkedNotLast, "Transfer-Encoding: chunked, ^gzip"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^gzip, chunked"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^identity"),
        ResponseFaultCase(.common(.codingInHTTP10), "HTTP/1.0 200 OK\r\n^Transfer-Encoding: chunked\r\n\r\n"),
        .status(204, .codingNotAllowed, "^Transfer-Encoding: chunked\r\n\r\n"),
        .status(100, .codingNotAllowed, "^Transfer-Encoding: chunked\r\n\r\n"),
        .status(101, .codingNotAllowed, "A: b\r\n^Transfer-Encoding: chunked\r\n\r\n"),
        .status(204, .lengthNotAllowed, "Content-Length: ^5\r\n\r\n"),
        .status(100, .lengthNotAllowed, "Content-Length: ^1\r\n\r\n"),
        .status(101, .lengthNotAllowed, "Content-Length: ^1\r\n\r\n"),
        .status(101, .upgradeMissing, "^\r\n"),
        .status(101, .upgradeMissing, "Upgrade: websocket\r\n^\r\n"),
        .status(101, .upgradeMissing, "Connection: upgrade\r\n^\r\n"),
        ResponseFaultCase(.upgradeMissing, "HTTP/1.0 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n^\r\n"),
    ]

    @Test(
        "A response that breaks a rule is refused at its byte, when its line is whole, however it is split",
        arguments: statusLines + fieldLines + framings
    )
    func refused(bad: ResponseFaultCase) throws {
        for method in [HTTPMethod.get, .head] {
            #expect(ParsedResponse(bad.bytes, answering: method).outcome == .invalid(bad.fault))
            #expect(ParsedResponse.firstSplitThatDiffers(bad.bytes, answering: method) == nil)
        }
        let lineFeed = try #require(bad.bytes[Int(bad.fault.offset)...].firstIndex(of: 0x0A))
        #expect(ParsedResponse(byteByByte: bad.bytes).knownAt == lineFeed + 1)
    }

    @Test("The limits hold to the byte, and a fault shows before the line ends")
    func limits() {
        var limits = HTTPLimits()
        limits.requestLineBytesMax = 20
        limits.headerBytesMax = 16
        limits.headerFieldsMax = 2
        func expect(_ response: String, _ outcome: ResponseOutcome, knownAt: Int) {
            let bytes = Array(response.utf8)
            #expect(ParsedResponse(bytes, limits: limits).outcome == outcome)
            #expect(ParsedResponse.firstSplitThatDiffers(bytes, limits: limits) == nil)
            #expect(ParsedResponse(byteByByte: bytes, limits: limits).knownAt == knownAt)
        }
        expect("HTTP/1.1 200 abcde\r\nA: 123456789\r\n\r\n", .complete, knownAt: 36)
        expect("HTTP/1.1 200 abcdef\r\n\r\n", .invalid(ResponseFault(.statusLineTooLong, at: 20)), knownAt: 20)
        let tooLarge = ResponseFault(.common(.headerTooLarge), at: 36)
        expect("HTTP/1.1 200 abcde\r\nA: 1234567890\r\n\r\n", .invalid(tooLarge), knownAt: 36)
        let tooMany = ResponseFault(.common(.tooManyFields), at: 28)
        expect("HTTP/1.1 200 abcde\r\nA:\r\nB:\r\nC:\r\n\r\n", .invalid(tooMany), knownAt: 32)
    }

    @Test("Every rule has words of its own")
    func reasons() {
        let own: [ResponseFault.Kind] = [
            .statusLineTooLong, .statusLineMalformed, .statusOutOfRange, .reasonInvalid, .lengthNotAllowed,
            .codingNotAllowed, .upgradeMissing,
        ]
        let kinds = own + RequestFault.Kind.allCases.map { .common($0) }
        let reasons = Set(kinds.map { "\(ResponseFault($0, at: 0).reason)" })
        #expect(reasons.count == kinds.count)
        let chunk = ResponseFault(RequestFault(.chunkSizeInvalid, at: 7))
        #expect(chunk == ResponseFault(.common(.chunkSizeInvalid), at: 7))
    }
}
