// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("HTTPLimits") struct HTTPLimitsTests {
    static let limits: HTTPLimits = {
        var limits = HTTPLimits()
        limits.requestLineBytesMax = 64
        limits.headerBytesMax = 128
        limits.headerFieldsMax = 4
        return limits
    }()

    /// A request whose request line and header section have these lengths, CRLFs and empty line included.
    static func request(lineByteCount: Int = 20, headerByteCount: Int = 40, emptyLines: Int = 0) -> [UInt8] {
        let line = "GET /" + String(repeating: "a", count: lineByteCount - 16) + " HTTP/1.1\r\n"
        let field = "Host: h\r\nA: " + String(repeating: "b", count: headerByteCount - 16) + "\r\n\r\n"
        return Array((String(repeating: "\r\n", count: emptyLines) + line + field).utf8)
    }

    private func expect(_ outcome: ParseOutcome, knownAt: Int, _ bytes: [UInt8]) {
        let whole = parseHead(bytes, limits: Self.limits)
        #expect(whole.outcome == outcome)
        #expect(firstSplitThatDiffers(bytes, from: whole, limits: Self.limits) == nil)
        #expect(parseByteByByte(bytes, limits: Self.limits).knownAt == knownAt)
    }

    @Test("A request line of the limit is read, one byte more is refused with 414 before it ends")
    func requestLine() {
        let good = Self.request(lineByteCount: 64)
        expect(.complete, knownAt: good.count, good)
        expect(.invalid(RequestFault(.requestLineTooLong, at: 64)), knownAt: 64, Self.request(lineByteCount: 65))
        let endless = [UInt8](repeating: UInt8(ascii: "\r"), count: 100)
        expect(.invalid(RequestFault(.requestLineTooLong, at: 64)), knownAt: 64, endless)
    }

    @Test("The empty line that is ignored does not count")
    func emptyLineInFront() {
        let good = Self.request(lineByteCount: 64, emptyLines: 1)
        expect(.complete, knownAt: good.count, good)
        let bad = Self.request(lineByteCount: 65, emptyLines: 1)
        expect(.invalid(RequestFault(.requestLineTooLong, at: 66)), knownAt: 66, bad)
    }

    @Test("A header section of the limit is read, one byte more is refused with 431 before it ends")
    func headerSection() {
        let good = Self.request(headerByteCount: 128)
        expect(.complete, knownAt: good.count, good)
        let fault = RequestFault(.headerTooLarge, at: 20 + 128)
        expect(.invalid(fault), knownAt: 20 + 128, Self.request(headerByteCount: 129))
        expect(.invalid(fault), knownAt: 20 + 128, Self.request(headerByteCount: 300))
    }

    @Test("As many fields as the limit are read, one more is refused with 431 before its content is looked at")
    func fieldCount() {
        let good = Array("GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\nC:\r\n\r\n".utf8)
        expect(.complete, knownAt: good.count, good)
        let bad = FaultCase(.tooManyFields, "GET / HTTP/1.1\r\nHost: h\r\nA:\r\nB:\r\nC:\r\n^ bad\r\n\r\n")
        expect(.invalid(bad.fault), knownAt: Int(bad.fault.offset) + 6, bad.bytes)
    }

    @Test("The first broken rule wins over a limit that is broken later")
    func order() {
        let line = FaultCase(.methodInvalid, "G^(T / HTTP/1.1\r\n" + String(repeating: "a", count: 300))
        #expect(parseHead(line.bytes, limits: Self.limits).outcome == .invalid(line.fault))
        #expect(parseByteByByte(line.bytes, limits: Self.limits).outcome == .invalid(line.fault))
    }

    @Test("A head of the default limits is read byte by byte in linear time")
    func trickled() {
        var bytes = Array("GET /".utf8) + [UInt8](repeating: UInt8(ascii: "a"), count: 8000)
        bytes += Array(" HTTP/1.1\r\nHost: h\r\nA: ".utf8) + [UInt8](repeating: UInt8(ascii: "b"), count: 32_000)
        bytes += Array("\r\n\r\n".utf8)
        #expect(parseByteByByte(bytes).outcome == .complete)
    }
}
