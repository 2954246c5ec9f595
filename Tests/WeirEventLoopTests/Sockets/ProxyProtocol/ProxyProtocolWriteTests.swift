// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct ProxyProtocolWriteTests {
    static let four = SocketAddress.ipv4(0xC000_0221, port: 51234)
    static let six = SocketAddress.ipv6(0x2001_0DB8_0000_0000, 1, port: 443)
    static let unix = SocketAddress.unix(path: "/run/a.sock")

    /// What is written into memory of the announced size. The bytes behind must stay as they are.
    private func written(
        _ version: ProxyProtocol.Version,
        _ source: SocketAddress?,
        _ destination: SocketAddress?
    ) -> [UInt8] {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: ProxyProtocol.writtenBytesMax, alignment: 1)
        defer { memory.deallocate() }
        memory.initializeMemory(as: UInt8.self, repeating: 0xAA)
        let count = ProxyProtocol.write(version, source: source, destination: destination, into: memory)
        #expect(memory[count...].allSatisfy { $0 == 0xAA })
        return Array(memory[..<count])
    }

    static let lines: [(source: SocketAddress?, destination: SocketAddress?, line: String)] = [
        (four, SocketAddress.ipv4(0xCB00_7107, port: 0), "PROXY TCP4 192.0.2.33 203.0.113.7 51234 0\r\n"),
        (.ipv4(.max, port: .max), .ipv4(.max, port: 9), "PROXY TCP4 255.255.255.255 255.255.255.255 65535 9\r\n"),
        (six, .ipv6(0, 1, port: 10), "PROXY TCP6 2001:db8::1 ::1 443 10\r\n"),
        (.ipv6(0, 0xFFFF_0A00_0001, port: 1), four, "PROXY TCP4 10.0.0.1 192.0.2.33 1 51234\r\n"),
        (four, six, "PROXY UNKNOWN\r\n"), (unix, four, "PROXY UNKNOWN\r\n"), (unix, unix, "PROXY UNKNOWN\r\n"),
        (nil, four, "PROXY UNKNOWN\r\n"), (four, nil, "PROXY UNKNOWN\r\n"),
    ]

    @Test(arguments: lines)
    func `version 1 is a line`(source: SocketAddress?, destination: SocketAddress?, line: String) {
        let bytes = written(.version1, source, destination)
        #expect(String(decoding: bytes, as: UTF8.self) == line)
    }

    @Test func `version 2 is the bytes of the specification`() {
        let signature: [UInt8] = [0x0D, 0x0A, 0x0D, 0x0A, 0x00, 0x0D, 0x0A, 0x51, 0x55, 0x49, 0x54, 0x0A]
        #expect(
            written(.version2, Self.four, .ipv4(0xCB00_7107, port: 443))
                == signature + [0x21, 0x11, 0, 12, 192, 0, 2, 33, 203, 0, 113, 7, 0xC8, 0x22, 0x01, 0xBB]
        )
        #expect(
            written(.version2, Self.six, .ipv6(0xFD00_0000_0000_0000, 2, port: 80))
                == signature + [0x21, 0x21, 0, 36]
                + [0x20, 0x01, 0x0D, 0xB8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]
                + [0xFD, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2] + [0x01, 0xBB, 0, 80]
        )
        let ends: [(SocketAddress?, SocketAddress?)] = [
            (Self.four, Self.six), (Self.unix, Self.unix), (nil, nil), (Self.four, nil), (nil, Self.four),
        ]
        for (source, destination) in ends {
            #expect(written(.version2, source, destination) == signature + [0x20, 0, 0, 0])
        }
    }

    @Test(arguments: ProxyProtocol.Version.allCases)
    func `what is written is read again`(version: ProxyProtocol.Version) {
        var random = SeededGenerator(seed: 11)
        func address(_ isIPv6: Bool) -> SocketAddress {
            let port = UInt16.random(in: 0...UInt16.max, using: &random)
            let upper = Bool.random(using: &random) ? random.next() : random.next() & random.next() & random.next()
            guard isIPv6 else { return .ipv4(UInt32(truncatingIfNeeded: upper), port: port) }
            return .ipv6(upper | 1 << 61, random.next() & random.next() & random.next(), port: port)
        }
        for round in 0..<2000 {
            let (source, destination) = (address(round % 2 == 0), address(round % 2 == 0))
            let bytes = written(version, source, destination)
            let header = ProxyHeader(
                byteCount: bytes.count,
                origin: .proxied(source: source, destination: destination)
            )
            let outcome = ProxyProtocol.read(bytes.span)
            #expect(outcome == .complete(header))
        }
    }

    @Test func `the longest header fits`() {
        let last = SocketAddress.ipv6(.max, .max, port: .max)
        #expect(written(.version1, last, last).count == 104)
    }
}
