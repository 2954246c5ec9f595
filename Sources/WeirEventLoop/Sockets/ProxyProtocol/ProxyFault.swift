// SPDX-License-Identifier: Apache-2.0
// Why a PROXY protocol header is refused: one case per rule. The connection is then closed without an answer.

/// A broken rule of the PROXY protocol.
package enum ProxyFault: String, Error, Equatable, Sendable, CaseIterable, CustomStringConvertible {
    // Version 1 (section 2.1)
    case lineTooLong
    case lineEndInvalid
    case protocolInvalid
    case addressInvalid
    case portInvalid
    case lineMalformed

    // Version 2 (section 2.2)
    case versionUnsupported
    case commandUnknown
    case familyUnknown
    case headerTooLarge
    case addressesTruncated
    case extensionMalformed
    case checksumWrong

    package var description: String {
        switch self {
        case .lineTooLong: "the line has no CRLF within \(ProxyProtocol.lineBytesMax) bytes"
        case .lineEndInvalid: "the line ends in a single CR or LF; CRLF is right"
        case .protocolInvalid: "what follows PROXY is not TCP4, TCP6 or UNKNOWN"
        case .addressInvalid: "an address is not of the family that the line names"
        case .portInvalid: "a port is not a number from 0 to 65535 without leading zeros"
        case .lineMalformed: "the line is not two addresses and two ports with one space between them"
        case .versionUnsupported: "the version behind the signature is not 2"
        case .commandUnknown: "the command is neither LOCAL nor PROXY"
        case .familyUnknown: "the address family or the transport is one that the protocol does not define"
        case .headerTooLarge: "the header is larger than \(ProxyProtocol.headerBytesMax) bytes"
        case .addressesTruncated: "the header is too short for the addresses of its family"
        case .extensionMalformed: "an extension does not fit its length or the header's"
        case .checksumWrong: "the CRC32c checksum is wrong"
        }
    }
}
