// SPDX-License-Identifier: Apache-2.0
// The methods that the engine knows by name (RFC 9110 section 9, RFC 5789).

/// A request method.
@usableFromInline
package enum HTTPMethod: UInt8, Sendable, CaseIterable {
    case get, head, post, put, delete, connect, options, trace, patch
    /// A valid token that is none of the above; its bytes are at `RequestHead.methodRange`.
    case other

    /// The raw value without a call: the synthesized accessor is not inlined in other modules.
    @inlinable
    package var index: UInt8 { unsafe unsafeBitCast(self, to: UInt8.self) }

    /// The name as it stands in a request line; empty for `.other`.
    package var name: StaticString {
        switch self {
        case .get: "GET"
        case .head: "HEAD"
        case .post: "POST"
        case .put: "PUT"
        case .delete: "DELETE"
        case .connect: "CONNECT"
        case .options: "OPTIONS"
        case .trace: "TRACE"
        case .patch: "PATCH"
        case .other: ""
        }
    }
}

extension HTTPMethod {
    /// The longest method that is read; a longer one is answered with 501 (RFC 9112 section 3).
    package static let byteCountMax = 32

    /// The method whose name stands at `start`. Names are case-sensitive (RFC 9110 section 9.1).
    static func recognise(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> HTTPMethod {
        switch count {
        case 3:
            if matches(bytes, start, "GET") { return .get }
            if matches(bytes, start, "PUT") { return .put }
        case 4:
            if matches(bytes, start, "POST") { return .post }
            if matches(bytes, start, "HEAD") { return .head }
        case 5:
            if matches(bytes, start, "PATCH") { return .patch }
            if matches(bytes, start, "TRACE") { return .trace }
        case 6:
            if matches(bytes, start, "DELETE") { return .delete }
        case 7:
            if matches(bytes, start, "OPTIONS") { return .options }
            if matches(bytes, start, "CONNECT") { return .connect }
        default:
            break
        }
        return .other
    }

    /// Compares as many bytes as the literal has; the caller has seen that there are so many.
    @inline(__always)
    private static func matches(_ bytes: Span<UInt8>, _ start: Int, _ literal: StaticString) -> Bool {
        var index = 0
        while index < literal.utf8CodeUnitCount {
            // A StaticString's bytes live as long as the process, and the index is below their count.
            if unsafe bytes[start &+ index] != literal.utf8Start[index] { return false }
            index &+= 1
        }
        return true
    }
}
