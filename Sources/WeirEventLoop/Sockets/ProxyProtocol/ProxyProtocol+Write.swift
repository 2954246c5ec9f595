// SPDX-License-Identifier: Apache-2.0
// Headers for connections that go to an endpoint which expects them (sections 2.1 and 2.2).

extension ProxyProtocol {
    /// The forms of a header.
    package enum Version: Sendable, CaseIterable {
        case version1
        case version2
    }

    /// As many bytes hold every header that is written. It fits in the first segment of a connection.
    package static let writtenBytesMax = lineBytesMax

    /// Writes the header that says that `source` had connected to `destination`, and answers its length.
    ///
    /// Where one of them is not known (nil), is a Unix socket, or they are of different families, the header says that
    /// the connection's own addresses are to be taken: `UNKNOWN` in version 1, `LOCAL` in version 2, which every
    /// receiver must accept. For a health check give the connection's own two addresses: some receivers refuse
    /// `UNKNOWN` (section 2.1).
    ///
    /// `memory` must have room for `writtenBytesMax` bytes; it traps if it has not. Does not allocate.
    package static func write(
        _ version: Version,
        source: SocketAddress?,
        destination: SocketAddress?,
        into memory: UnsafeMutableRawBufferPointer
    ) -> Int {
        precondition(memory.count >= writtenBytesMax, "no room for a PROXY header")
        var output = Output(memory: memory)
        switch (version, source?.unmapped, destination?.unmapped) {
        case (.version1, .ipv4?, .ipv4?), (.version1, .ipv6?, .ipv6?):
            if let source, let destination { writeLine(source.unmapped, destination.unmapped, into: &output) }
        case (.version1, _, _):
            output.put("PROXY UNKNOWN\r\n")
        case (.version2, .ipv4(let source, let sourcePort)?, .ipv4(let destination, let destinationPort)?):
            output.putHead(proxyCommand, tcp4, length: 12)
            output.put(source)
            output.put(destination)
            output.put(sourcePort)
            output.put(destinationPort)
        case (
            .version2, .ipv6(let sourceUpper, let sourceLower, let sourcePort)?,
            .ipv6(let upper, let lower, let destinationPort)?
        ):
            output.putHead(proxyCommand, tcp6, length: 36)
            output.put(sourceUpper)
            output.put(sourceLower)
            output.put(upper)
            output.put(lower)
            output.put(sourcePort)
            output.put(destinationPort)
        case (.version2, _, _):
            output.putHead(localCommand, 0, length: 0)
        }
        return output.count
    }

    /// Two addresses of one family, which is IPv4 or IPv6.
    private static func writeLine(
        _ source: SocketAddress,
        _ destination: SocketAddress,
        into output: inout Output
    ) {
        if case .ipv4 = source { output.put("PROXY TCP4 ") } else { output.put("PROXY TCP6 ") }
        output.put(source.numericText)
        output.put(" ")
        output.put(destination.numericText)
        output.put(" ")
        output.put(decimal: source.port ?? 0)
        output.put(" ")
        output.put(decimal: destination.port ?? 0)
        output.put("\r\n")
    }

    /// Appends to memory that is large enough, as `write` has seen; a wrong count would trap.
    private struct Output {
        let memory: UnsafeMutableRawBufferPointer
        var count = 0

        mutating func put(_ byte: UInt8) {
            precondition(count < memory.count, "a PROXY header beyond its limit")
            memory[count] = byte
            count &+= 1
        }

        mutating func put(_ text: StaticString) {
            // A StaticString's bytes live as long as the process; the index is below its length.
            for index in 0..<text.utf8CodeUnitCount { put(text.utf8Start[index]) }
        }

        mutating func put(_ text: NumericAddressText) {
            for index in 0..<text.count { put(text.span[index]) }
        }

        /// A number in network order.
        mutating func put<Number: FixedWidthInteger>(_ number: Number) where Number: UnsignedInteger {
            var shift = Number.bitWidth
            while shift > 0 {
                shift &-= 8
                put(UInt8(truncatingIfNeeded: number >> shift))
            }
        }

        mutating func put(decimal number: UInt16) {
            var divisor: UInt16 = 10_000
            while divisor > 1, number < divisor { divisor /= 10 }
            while divisor > 0 {
                put(UInt8(ascii: "0") + UInt8(number / divisor % 10))
                divisor /= 10
            }
        }

        mutating func putHead(_ command: UInt8, _ family: UInt8, length: UInt16) {
            for index in 0..<signature.count { put(signature[index]) }
            put(command)
            put(family)
            put(length)
        }
    }
}
