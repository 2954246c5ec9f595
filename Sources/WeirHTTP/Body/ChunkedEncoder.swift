// SPDX-License-Identifier: Apache-2.0
// The chunked coding, written (RFC 9112 section 7.1).

/// Framing around a chunk's data; the data itself goes past it.
package enum ChunkedEncoder {
    /// The most bytes that `writeSize` writes: 16 digits and CRLF.
    package static let sizeByteCountMax = 18

    /// The line before `count` bytes of data. Not for 0: that would end the body.
    package static func writeSize(_ count: Int, into writer: inout HeadWriter) {
        precondition(count > 0, "an empty chunk ends the body: use writeEnd")
        writer.hexadecimal(UInt64(count))
        writer.raw("\r\n")
    }

    /// The CRLF behind a chunk's data.
    package static var dataEnd: StaticString { "\r\n" }

    /// The end of a body without trailers.
    package static func writeEnd(into writer: inout HeadWriter) {
        writer.raw("0\r\n\r\n")
    }

    /// The last chunk of a body with trailers: write them with `HeadWriter.field` and close with `HeadWriter.end`.
    package static func writeLastChunk(into writer: inout HeadWriter) {
        writer.raw("0\r\n")
    }
}
