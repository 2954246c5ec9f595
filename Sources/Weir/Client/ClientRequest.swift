// SPDX-License-Identifier: Apache-2.0
// A request that a handler makes, and the response to it: plain values, whole bodies.

import FoundationEssentials

/// A request to an upstream.
///
/// The fields of one connection and of framing (`Connection`, `Transfer-Encoding`, `Content-Length`, …) are the
/// engine's: set here, they are left out.
public struct ClientRequest: Sendable {
    public var method: Method
    /// Path and query as they go over the wire: `/items/7?full=1`.
    public var target: String
    public var headers: Headers
    public var body: [UInt8]

    public init(_ method: Method = .get, _ target: String, headers: Headers = Headers(), body: [UInt8] = []) {
        self.method = method
        self.target = target
        self.headers = headers
        self.body = body
    }
}

/// What an upstream answered, whatever its status.
public struct ClientResponse: Sendable {
    /// 200 to 999.
    public let status: Int
    /// The fields in the order in which they came.
    public let headers: Headers
    /// The body, without the chunked coding.
    public let body: [UInt8]

    /// Whether the status is one of 200 to 299.
    public var isSuccess: Bool { (200...299).contains(status) }

    /// The body as text.
    public var text: String { String(decoding: body, as: UTF8.self) }

    /// The body decoded from JSON.
    public func decode<Value: Decodable>(_ type: Value.Type) throws -> Value {
        try JSONDecoder().decode(type, from: Data(body))
    }
}
