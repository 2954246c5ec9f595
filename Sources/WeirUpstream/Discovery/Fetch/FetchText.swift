// SPDX-License-Identifier: Apache-2.0
// Text that goes into a request's target, and text of an answer that goes into the log. Pure.

extension String {
    /// Percent-encoded, all but the unreserved characters (RFC 3986 section 2.3).
    package var percentEncoded: String {
        var encoded = ""
        for byte in utf8 {
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
                UInt8(ascii: "~"):
                encoded.unicodeScalars.append(UnicodeScalar(byte))
            default: encoded += "%" + (byte < 16 ? "0" : "") + String(byte, radix: 16, uppercase: true)
            }
        }
        return encoded
    }
}

extension [UInt8] {
    /// What a server has said, as a log may show it: one short line.
    package func shownInLine(bytesMax: Int = 120) -> String {
        String(decoding: prefix(bytesMax).map { (0x20...0x7E).contains($0) ? $0 : 0x20 }, as: UTF8.self)
    }
}
