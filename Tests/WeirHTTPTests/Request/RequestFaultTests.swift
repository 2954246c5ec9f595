// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("RequestFault") struct RequestFaultTests {
    static let requestLines = [
        FaultCase(.bareLineFeed, "GET / HTTP/1.1^\nHost: h\r\n\r\n"),
        FaultCase(.bareLineFeed, "^\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareLineFeed, "\r\n^\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareLineFeed, "GET^\n / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.emptyRequestLine, "\r\n^\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareCarriageReturn, "^\rGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareCarriageReturn, "^\r\r\nGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareCarriageReturn, "GET^\r / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareCarriageReturn, "GET /^\r HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.bareCarriageReturn, "GET / ^\rHTTP/1.\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTTP/1.1\r\r\nHost: h\r\n\r\n"),
        FaultCase(.methodInvalid, "^ GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.methodInvalid, "^\tGET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.methodInvalid, "GE^(T / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.methodInvalid, "GET^\t/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.methodInvalid, "G^\u{e9}T / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.methodInvalid, "^\0GET / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.methodTooLong, "^ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456 / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.requestLineMalformed, "GET^\r\n\r\n"),
        FaultCase(.requestLineMalformed, "GET /^\r\n\r\n"),
        FaultCase(.requestLineMalformed, "GET /?^\r\n\r\n"),
        FaultCase(.requestLineMalformed, "GET ^\r\n\r\n"),
        FaultCase(.requestLineMalformed, "GET ^ / HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.requestLineMalformed, "GET ^ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTTP/1.1 \r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^x HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^http/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTTP/11.1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTTP/1.\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTTP/1,1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTTP/1.x\r\nHost: h\r\n\r\n"),
        FaultCase(.versionMalformed, "GET / ^HTCPCP/1\r\nHost: h\r\n\r\n"),
        FaultCase(.versionUnsupported, "PRI * ^HTTP/2.0\r\n\r\nSM\r\n\r\n"),
        FaultCase(.versionUnsupported, "GET / ^HTTP/0.9\r\nHost: h\r\n\r\n"),
        FaultCase(.versionUnsupported, "GET / ^HTTP/3.1\r\nHost: h\r\n\r\n"),
    ]

    static let targets = [
        FaultCase(.targetByteInvalid, "GET /a^#b HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /a?b^#c HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /a^\\b HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /a^\tb HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /a^\0 HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /a^\u{7f} HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /a^\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetByteInvalid, "GET /?^\u{e9} HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^a HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^?a HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^* HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "OPTIONS ^** HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "OPTIONS ^*?a HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^h:80 HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^http:/h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^http: HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "GET ^://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "CONNECT ^/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetFormInvalid, "CONNECT ^* HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetSchemeUnsupported, "GET ^ftp://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetSchemeUnsupported, "GET ^httpx://h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "GET http://^/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "GET http://^:80/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "GET http://^?a HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "GET http://u^@h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "GET http://u:^p@h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "GET http://h:8^a/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "CONNECT h^ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "CONNECT h:^ HTTP/1.1\r\nHost: h:\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "CONNECT h:80^/ HTTP/1.1\r\nHost: h\r\n\r\n"),
        FaultCase(.targetAuthorityInvalid, "CONNECT http:^//h/ HTTP/1.1\r\nHost: h\r\n\r\n"),
    ]

    static let fieldLines = [
        FaultCase.fields(.bareLineFeed, "A: b^\nC: d"),
        .fields(.bareLineFeed, "A: b\r\n^\nC: d"),
        .fields(.bareCarriageReturn, "A: b^\rC: d"),
        .fields(.bareCarriageReturn, "A: b^\r"),
        .fields(.bareCarriageReturn, "A:^\r"),
        .fields(.bareCarriageReturn, "A^\r: b"),
        .fields(.bareCarriageReturn, "^\rA: b"),
        .fields(.bareCarriageReturn, "A: 0123456789^\r0123456789"),
        .fields(.fieldLineFolded, "A: b\r\n^ c"),
        .fields(.fieldLineFolded, "A: b\r\n^\tc: d"),
        .fields(.fieldLineFolded, "^ A: b"),
        .fields(.fieldLineFolded, "^ "),
        FaultCase(.fieldLineFolded, "GET / HTTP/1.1\r\n^ Host: h\r\n\r\n"),
        .fields(.fieldNameEmpty, "^: b"),
        .fields(.fieldNameSpace, "A^ : b"),
        .fields(.fieldNameSpace, "A^\t: b"),
        .fields(.fieldNameSpace, "A^ b: c"),
        .fields(.fieldNameSpace, "Content-Length^ : 5"),
        .fields(.fieldNameSpace, "Transfer-Encoding^ : chunked"),
        .fields(.fieldNameInvalid, "^(: b"),
        .fields(.fieldNameInvalid, "A^\u{e9}: b"),
        .fields(.fieldNameInvalid, "A^\0: b"),
        .fields(.fieldNameInvalid, "A^\u{7f}: b"),
        .fields(.fieldNameInvalid, "A^/b: c"),
        .fields(.fieldNameInvalid, "^\"A\": b"),
        .fields(.fieldColonMissing, "A^"),
        .fields(.fieldColonMissing, "Content-Length^"),
        .fields(.fieldValueInvalid, "A: ^\0"),
        .fields(.fieldValueInvalid, "A: b^\0c"),
        .fields(.fieldValueInvalid, "A: ^\u{b}b"),
        .fields(.fieldValueInvalid, "A: b^\u{c}"),
        .fields(.fieldValueInvalid, "A: b^\u{7f}"),
        .fields(.fieldValueInvalid, "A: 01234567\t9^\u{1f}b"),
        .fields(.fieldValueInvalid, "A: 0123456789ab^\u{1}"),
        .fields(.fieldValueInvalid, "A: ^\u{8}123456789"),
        .fields(.fieldValueInvalid, "A: \u{e9}\u{e9}\u{e9}\u{e9}^\u{7f}123"),
    ]

    static let meanings = [
        FaultCase(.hostMissing, "GET / HTTP/1.1\r\n^\r\n"),
        FaultCase(.hostMissing, "GET / HTTP/1.1\r\nA: b\r\n^\r\n"),
        FaultCase(.hostMissing, "GET http://h/ HTTP/1.1\r\n^\r\n"),
        .fields(.hostRepeated, "^Host: h"),
        .fields(.hostRepeated, "A: b\r\n^hOST: i"),
        FaultCase(.hostRepeated, "GET / HTTP/1.0\r\nHost: h\r\n^Host: h\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: u^@h\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h^,i\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h^ i\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h^/a\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h:^a\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h:80^:80\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h:^65536\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: h:00000^1\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: ^:80\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: [^]\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: [:^]\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: [::1^\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: [::1]^a\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: [fe80::1^%25eth0]\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.1\r\nHost: ^\u{e9}\r\n\r\n"),
        FaultCase(.hostInvalid, "GET / HTTP/1.0\r\nHost: a^%20b\r\n\r\n"),
        FaultCase(.hostMismatch, "GET http://h/ HTTP/1.1\r\nHost: ^i\r\n\r\n"),
        FaultCase(.hostMismatch, "GET http://h/ HTTP/1.1\r\nHost: ^h:80\r\n\r\n"),
        FaultCase(.hostMismatch, "GET http://h/ HTTP/1.0\r\nHost: ^i\r\n\r\n"),
        FaultCase(.hostMismatch, "CONNECT h:443 HTTP/1.1\r\nHost: ^h\r\n\r\n"),
        FaultCase(.hostMismatch, "GET http://h/ HTTP/1.1\r\nHost: ^\r\n\r\n"),
        .fields(.contentLengthInvalid, "Content-Length: ^+5"),
        .fields(.contentLengthInvalid, "Content-Length: ^-5"),
        .fields(.contentLengthInvalid, "Content-Length: 0^x5"),
        .fields(.contentLengthInvalid, "Content-Length: 5^ 5"),
        .fields(.contentLengthInvalid, "Content-Length: 5^, 5"),
        .fields(.contentLengthInvalid, "Content-Length: 5^.0"),
        .fields(.contentLengthInvalid, "Content-Length: ^\u{660}"),
        .fields(.contentLengthInvalid, "Content-Length: ^9223372036854775808"),
        .fields(.contentLengthInvalid, "Content-Length: ^18446744073709551616"),
        .fields(.contentLengthInvalid, "Content-Length: ^00000000000000000005"),
        FaultCase(.contentLengthInvalid, "POST / HTTP/1.1\r\nHost: h\r\nContent-Length:^\r\n\r\n"),
        .fields(.contentLengthRepeated, "Content-Length: 5\r\n^Content-Length: 5"),
        .fields(.contentLengthRepeated, "Content-Length: 5\r\n^Content-Length: 6"),
        .fields(.lengthAndCoding, "Content-Length: 5\r\n^Transfer-Encoding: chunked"),
        .fields(.lengthAndCoding, "Transfer-Encoding: chunked\r\n^Content-Length: 5"),
        .fields(.lengthAndCoding, "Content-Length: 5\r\n^Transfer-Encoding: identity"),
        FaultCase(.codingInHTTP10, "POST / HTTP/1.0\r\n^Transfer-Encoding: chunked\r\n\r\n"),
        .fields(.codingMalformed, "Transfer-Encoding:^"),
        .fields(.codingMalformed, "Transfer-Encoding: ^,chunked"),
        .fields(.codingMalformed, "Transfer-Encoding: chunked,^"),
        .fields(.codingMalformed, "Transfer-Encoding: chunked^;a=b"),
        .fields(.codingMalformed, "Transfer-Encoding: gzip^;q=1"),
        .fields(.codingMalformed, "Transfer-Encoding: ^\"chunked\""),
        .fields(.codingMalformed, "Transfer-Encoding: chunked ^chunked"),
        .fields(.chunkedRepeated, "Transfer-Encoding: chunked, ^chunked"),
        .fields(.chunkedRepeated, "Transfer-Encoding: chunked\r\nTransfer-Encoding: ^chunked"),
        .fields(.chunkedNotLast, "Transfer-Encoding: chunked, ^gzip"),
        .fields(.chunkedNotLast, "Transfer-Encoding: chunked\r\nTransfer-Encoding: ^gzip"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^gzip, chunked"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^gzip"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^identity"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^xchunked"),
        .fields(.codingUnsupported, "Transfer-Encoding: ^chunke"),
        .fields(.fieldValueInvalid, "Transfer-Encoding: ^\u{b}chunked"),
        .fields(.connectionMalformed, "Connection: close^;x"),
        .fields(.connectionMalformed, "Connection: close ^keep-alive"),
        .fields(.connectionMalformed, "Connection: ^\"close\""),
        .fields(
            .connectionTooLong,
            "Connection: a,b,c,d,e,f,g,h,,close,te\r\nConnection: a,i,j,k,l,m,n,o,^p,q"
        ),
        .fields(.connectionMalformed, "Connection: ^;keep-alive"),
        .fields(.connectionMalformed, "Connection: close^\u{e9}"),
        .fields(.expectationUnsupported, "Expect: ^200-ok"),
        .fields(.expectationUnsupported, "Expect: ^100-continue, x"),
        .fields(.expectationUnsupported, "Expect:^"),
    ]

    @Test(
        "A request that breaks a rule is refused at its byte, when its line is whole, however it is split",
        arguments: requestLines + targets + fieldLines + meanings
    )
    func refused(bad: FaultCase) throws {
        let whole = parseHead(bad.bytes)
        #expect(whole.outcome == .invalid(bad.fault))
        #expect(firstSplitThatDiffers(bad.bytes, from: whole) == nil)
        let lineFeed = try #require(bad.bytes[Int(bad.fault.offset)...].firstIndex(of: 0x0A))
        #expect(parseByteByByte(bad.bytes).knownAt == lineFeed + 1)
    }

    @Test("Every rule has a status and words of its own", arguments: RequestFault.Kind.allCases)
    func statusAndReason(kind: RequestFault.Kind) {
        let fault = RequestFault(kind, at: 7)
        #expect([400, 414, 417, 431, 501, 505].contains(fault.status))
        #expect(fault.reason.utf8CodeUnitCount > 10)
        let same = RequestFault.Kind.allCases.filter { "\($0.reason)" == "\(kind.reason)" }
        #expect(same == [kind])
    }

    @Test(arguments: [
        (RequestFault.Kind.requestLineTooLong, 414), (.headerTooLarge, 431), (.tooManyFields, 431),
        (.trailerTooLarge, 431), (.methodTooLong, 501), (.codingUnsupported, 400), (.versionUnsupported, 505),
        (.expectationUnsupported, 417), (.bareLineFeed, 400), (.lengthAndCoding, 400),
    ])
    func `The status says whose rule it was`(kind: RequestFault.Kind, status: Int) {
        #expect(kind.status == status)
    }
}
