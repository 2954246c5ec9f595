// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP
import WeirTestSupport

/// A coded body and what is in it, or why it is refused.
struct CodedCase: CustomTestStringConvertible, Sendable {
    let coded: String
    let data: String
    var trailers: [String] = []
    var fault: RequestFault?

    init(_ coded: String, _ data: String, _ trailers: [String] = [], fault: RequestFault? = nil) {
        self.coded = coded
        self.data = data
        self.trailers = trailers
        self.fault = fault
    }

    var testDescription: String { coded.debugDescription }
}

@Suite("ChunkedDecoder") struct ChunkedDecoderTests {
    static let good = [
        CodedCase("0\r\n\r\n", ""),
        CodedCase("000\r\n\r\n", ""),
        CodedCase("5\r\nhello\r\n0\r\n\r\n", "hello"),
        CodedCase("5\r\nhello\r\n00000000000000c\r\n, wide world\r\n0\r\n\r\n", "hello, wide world"),
        CodedCase("a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", "01234567890123456789"),
        CodedCase("2\r\n\r\n\r\n0\r\n\r\n", "\r\n"),
        CodedCase("1;a\r\nx\r\n0;b=c\r\n\r\n", "x"),
        CodedCase("1 ; a = b\t;\tc\r\nx\r\n0\r\n\r\n", "x"),
        CodedCase("1;a=\"b \\\" ; \u{e9}\"\r\nx\r\n0;a=\"\"\r\n\r\n", "x"),
        CodedCase("1\r\nx\r\n0\r\nA: b\r\nc:\t d \t\r\nE:\r\n\r\n", "x", ["A=b", "c=d", "E="]),
    ]

    @Test("A coded body that is right is read, however it is split", arguments: good)
    func goodBody(good: CodedCase) {
        let bytes = Array(good.coded.utf8)
        let whole = DecodedBody(bytes + Array("GET".utf8))
        #expect(whole.end == .complete(bytes.count))
        #expect(whole.data == Array(good.data.utf8))
        #expect(whole.trailers == good.trailers)
        for split in 0...bytes.count { #expect(DecodedBody(bytes, cuts: [split]) == whole) }
        #expect(DecodedBody.byteByByte(bytes) == whole)
        for count in 0..<bytes.count { #expect(DecodedBody(Array(bytes[..<count])).end == .incomplete) }
    }

    static let bad = [
        FaultCase(.chunkSizeInvalid, "^\r\n"),
        FaultCase(.chunkSizeInvalid, "^ 5\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "^+5\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "^-5\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "^g\r\n"),
        FaultCase(.chunkSizeInvalid, "0^x5\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "5^,5\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "5^\0\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "^;a\r\n"),
        FaultCase(.chunkSizeInvalid, "^00000000000000005\r\nhello\r\n"),
        FaultCase(.chunkSizeInvalid, "^8000000000000000\r\n"),
        FaultCase(.chunkSizeInvalid, "^ffffffffffffffff\r\n"),
        FaultCase(.chunkSizeInvalid, "^10000000000000000\r\n"),
        FaultCase(.chunkSizeInvalid, "1\r\nx\r\n^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5 ^\r\nhello\r\n"),
        FaultCase(.chunkExtensionInvalid, "5 ^5\r\nhello\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5; ^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;^=b\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a ^b\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=b ^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=\"b^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=\"^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=\"b\\\"^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=\"b\\^\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=\"b\"^c\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=\"b^\0\"\r\n"),
        FaultCase(.chunkExtensionInvalid, "5;a=^\u{e9}\r\n"),
        FaultCase(.bareLineFeed, "5^\nhello\r\n0\r\n\r\n"),
        FaultCase(.bareLineFeed, "^\n"),
        FaultCase(.bareLineFeed, "5;a=\"^\n\"\r\nhello\r\n"),
        FaultCase(.bareCarriageReturn, "5^\rx\r\nhello\r\n"),
        FaultCase(.bareCarriageReturn, "^\r5\r\nhello\r\n"),
        FaultCase(.bareCarriageReturn, "5;a^\r\r\nhello\r\n"),
        FaultCase(.bareCarriageReturn, "5;a=\"^\r\"\r\nhello\r\n"),
        FaultCase(.bareLineFeed, "0\r\n^\n"),
        FaultCase(.bareLineFeed, "0\r\nA: b^\n\r\n"),
        FaultCase(.bareCarriageReturn, "0\r\nA: b^\rc\r\n\r\n"),
        FaultCase(.fieldNameSpace, "0\r\nA^ : b\r\n\r\n"),
        FaultCase(.fieldLineFolded, "1\r\nx\r\n0\r\nA: b\r\n^ c\r\n\r\n"),
        FaultCase(.fieldColonMissing, "0\r\nA^\r\n\r\n"),
        FaultCase(.fieldValueInvalid, "0\r\nA: ^\0\r\n\r\n"),
        FaultCase(.trailerForbidden, "0\r\n^Content-Length: 5\r\n\r\n"),
        FaultCase(.trailerForbidden, "0\r\nA: b\r\n^transfer-encoding: chunked\r\n\r\n"),
        FaultCase(.trailerForbidden, "0\r\n^Host: h\r\n\r\n"),
        FaultCase(.trailerForbidden, "0\r\n^Authorization: x\r\n\r\n"),
        FaultCase(.trailerForbidden, "0\r\n^X-Forwarded-Client-Cert: Hash=0\r\n\r\n"),
        FaultCase(.trailerForbidden, "0\r\n^x_real_ip: 10.0.0.1\r\n\r\n"),
    ]

    /// Found at the byte itself, not at the end of its line.
    static let badDataEnds = [
        FaultCase(.chunkDataUnterminated, "5\r\nhello^x\r\n0\r\n\r\n"),
        FaultCase(.chunkDataUnterminated, "5\r\nhello^\n0\r\n\r\n"),
        FaultCase(.chunkDataUnterminated, "5\r\nhello\r^x0\r\n\r\n"),
        FaultCase(.chunkDataUnterminated, "5\r\nhello\r^\r\n0\r\n\r\n"),
        FaultCase(.chunkDataUnterminated, "4\r\nhell^o\r\n0\r\n\r\n"),
    ]

    @Test("A coded body that breaks a rule is refused at its byte, however it is split", arguments: bad + badDataEnds)
    func refused(bad: FaultCase) throws {
        let whole = DecodedBody(bad.bytes)
        #expect(whole.end == .invalid(bad.fault))
        for split in 0...bad.bytes.count { #expect(DecodedBody(bad.bytes, cuts: [split]) == whole) }
        let trickled = DecodedBody.byteByByte(bad.bytes)
        #expect(trickled == whole)
        let place = Int(bad.fault.offset)
        let lineFeed = try #require(bad.bytes[place...].firstIndex(of: 0x0A))
        #expect(trickled.knownAt == (bad.fault.kind == .chunkDataUnterminated ? place : lineFeed) + 1)
    }

    static let limits: HTTPLimits = {
        var limits = HTTPLimits()
        limits.chunkLineBytesMax = 16
        limits.trailerBytesMax = 32
        limits.headerFieldsMax = 3
        return limits
    }()

    @Test(
        "A limit is read to its last byte, and one byte more is refused",
        arguments: [
            CodedCase("1;abcdefghijkl\r\nx\r\n0\r\n\r\n", ""),
            CodedCase("1;abcdefghijklm\r\nx\r\n0\r\n\r\n", "", fault: RequestFault(.chunkLineTooLong, at: 16)),
            CodedCase("1\r\nx\r\n0;abcdefghijklm\r\n\r\n", "", fault: RequestFault(.chunkLineTooLong, at: 22)),
            CodedCase("0\r\nA: 0123456789012345678901234\r\n\r\n", ""),
            CodedCase("0\r\nA: 01234567890123456789012345\r\n\r\n", "", fault: RequestFault(.trailerTooLarge, at: 35)),
            CodedCase(
                "0\r\nA: 01234567890123456789012345678901234567890123456789",
                "",
                fault: RequestFault(.trailerTooLarge, at: 35)
            ),
            CodedCase("0\r\nA:\r\nB:\r\nC:\r\n\r\n", ""),
            CodedCase("0\r\nA:\r\nB:\r\nC:\r\n bad\r\n\r\n", "", fault: RequestFault(.tooManyFields, at: 15)),
        ]
    )
    func limits(limited: CodedCase) {
        let bytes = Array(limited.coded.utf8)
        let fault = limited.fault
        let whole = DecodedBody(bytes, limits: Self.limits)
        #expect(whole.end == fault.map { .invalid($0) } ?? .complete(bytes.count))
        for split in 0...bytes.count { #expect(DecodedBody(bytes, cuts: [split], limits: Self.limits) == whole) }
        let trickled = DecodedBody.byteByByte(bytes, limits: Self.limits)
        #expect(trickled == whole)
        if let fault, fault.kind != .tooManyFields { #expect(trickled.knownAt == Int(fault.offset)) }
    }

    @Test("The largest chunk size is read, and its data is handed on as it comes")
    func largestSize() {
        var decoder = ChunkedDecoder(limits: HTTPLimits())
        let bytes = Array("7fffffffffffffff\r\nabc".utf8)
        let steps = [decoder.next(bytes.span), decoder.next(bytes.span), decoder.next(bytes.span.extracting(0..<0))]
        #expect(steps == [.data(skip: 18, count: 3), .data(skip: 0, count: 21), .incomplete(consumed: 0)])
    }

    @Test("Random bodies are read as the slow model reads them", arguments: [UInt64.random(in: 0...UInt64.max)])
    func likeTheModel(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        for _ in 0..<4000 {
            var bytes = Self.randomBody(&random)
            if random.oneIn(2) { random.mutate(&bytes) }
            if random.oneIn(8) { bytes = Array(bytes.prefix(Int.random(in: 0...bytes.count, using: &random))) }
            let model = ChunkedModel(bytes)
            let cuts = random.cuts(bytes.count)
            let decoded = DecodedBody(bytes, cuts: cuts)
            let isSame =
                switch (decoded.end, model.end) {
                case (.incomplete, .incomplete): true
                case (.invalid, .invalid): true
                case (.complete(let count), .complete(let modelCount)):
                    count == modelCount && decoded.trailers == model.trailers
                default: false
                }
            guard isSame, decoded.data == model.data, decoded == DecodedBody(bytes) else {
                Issue.record("seed \(seed): \(bytes) cut at \(cuts): \(decoded), model \(model)")
                return
            }
        }
    }

    private static func randomBody(_ random: inout SeededGenerator) -> [UInt8] {
        let extensions = ["", "", "", ";a", " ; a = b", ";a=\"b;\\\"\"", ";a;b=c"]
        let fields = ["A: b", "Blank-x:\t", "c:d \t", "Host: h", "x: \u{e9}"]
        var bytes: [UInt8] = []
        for _ in 0..<Int.random(in: 0...3, using: &random) {
            let data = (0..<Int.random(in: 1...40, using: &random)).map { _ in
                random.oneIn(4) ? UInt8(ascii: "\r") : UInt8.random(in: 0...255, using: &random)
            }
            let size = String(data.count, radix: 16, uppercase: random.oneIn(2))
            bytes += Array((size + (extensions.randomElement(using: &random) ?? "") + "\r\n").utf8) + data
            bytes += Array("\r\n".utf8)
        }
        bytes += Array("0\r\n".utf8)
        for _ in 0..<Int.random(in: 0...2, using: &random) {
            bytes += Array(((fields.randomElement(using: &random) ?? "") + "\r\n").utf8)
        }
        return bytes + Array("\r\n".utf8)
    }
}
