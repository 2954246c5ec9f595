// SPDX-License-Identifier: Apache-2.0
// Why a message is refused: one case per rule, so that logs, metrics and tests can tell them apart.

/// A broken rule and where it was broken.
package struct RequestFault: Equatable, Sendable {
    package let kind: Kind
    /// The byte that broke the rule, counted from the first byte of the head, or, for a fault of the chunked coding,
    /// from the first byte of the coded body (there it stops counting at `UInt32.max`).
    package let offset: UInt32

    package init(_ kind: Kind, at offset: Int) {
        self.kind = kind
        self.offset = UInt32(clamping: offset)
    }

    /// The rule.
    package enum Kind: UInt8, Sendable, CaseIterable {
        // Line ends (RFC 9112 section 2.2)
        case bareLineFeed
        case bareCarriageReturn

        // Request line (RFC 9112 section 3)
        case requestLineTooLong
        case emptyRequestLine
        case methodInvalid
        case methodTooLong
        case requestLineMalformed
        case versionMalformed
        case versionUnsupported
        case targetByteInvalid
        case targetFormInvalid
        case targetSchemeUnsupported
        case targetAuthorityInvalid

        // Field lines (RFC 9110 section 5, RFC 9112 section 5)
        case headerTooLarge
        case tooManyFields
        case fieldLineFolded
        case fieldNameEmpty
        case fieldNameInvalid
        case fieldNameSpace
        case fieldColonMissing
        case fieldValueInvalid

        // Fields with a meaning here
        case hostMissing
        case hostRepeated
        case hostInvalid
        case hostMismatch
        case contentLengthInvalid
        case contentLengthRepeated
        case lengthAndCoding
        case codingInHTTP10
        case codingMalformed
        case chunkedRepeated
        case chunkedNotLast
        case codingUnsupported
        case connectionMalformed
        case connectionTooLong
        case expectationUnsupported

        // Chunked coding (RFC 9112 section 7.1)
        case chunkLineTooLong
        case chunkSizeInvalid
        case chunkExtensionInvalid
        case chunkDataUnterminated
        case trailerTooLarge
        case trailerForbidden
    }
}
