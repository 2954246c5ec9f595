// SPDX-License-Identifier: Apache-2.0
// How much of a message is read before it is refused. Set once at start, copied into every parser.

/// The bounds of a request's head and of the chunked coding; each refuses the first byte beyond it.
package struct HTTPLimits: Equatable, Sendable {
    /// Request line with its CRLF, in bytes; beyond: 414. RFC 9112 section 3 asks for at least 8,000.
    package var requestLineBytesMax = 8192
    /// All field lines with their CRLFs and the empty line behind them, in bytes; beyond: 431.
    package var headerBytesMax = 32_768
    /// Field lines in a header or trailer section; beyond: 431.
    package var headerFieldsMax = 100
    /// All trailer lines with their CRLFs and the empty line behind them, in bytes; beyond: 431.
    package var trailerBytesMax = 8192
    /// Chunk-size line with extensions and CRLF, in bytes; beyond: 400. Nobody sends extensions but attackers.
    package var chunkLineBytesMax = 256

    package init() {}

    /// Stops a program whose limits make no sense: offsets are 32 bits wide, and a CRLF must fit.
    func check() {
        precondition((16...0x1000_0000).contains(requestLineBytesMax), "requestLineBytesMax: 16 B to 256 MiB")
        precondition((2...0x1000_0000).contains(headerBytesMax), "headerBytesMax: 2 B to 256 MiB")
        precondition((1...65_535).contains(headerFieldsMax), "headerFieldsMax: 1 to 65,535")
        precondition((2...0x1000_0000).contains(trailerBytesMax), "trailerBytesMax: 2 B to 256 MiB")
        precondition((3...65_535).contains(chunkLineBytesMax), "chunkLineBytesMax: 3 to 65,535 B")
    }
}
