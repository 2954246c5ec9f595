// SPDX-License-Identifier: Apache-2.0
// A request, as a handler sees it.

import FoundationEssentials
import WeirEventLoop
import WeirHTTP

/// A request: method, path, parameters, fields and body.
///
/// A small value that refers to the request's own memory; text is made when it is asked for. It may be kept beyond the
/// handler: it then keeps its memory alive, and its body reads as broken off.
public struct Request: Sendable {
    let exchange: Exchange

    public var method: Method { Method(exchange.parser.pointee.head.method) ?? .get }

    /// The path, percent-decoded once and without dot segments; `*` for `OPTIONS *`.
    public var path: String { exchange.path }

    /// The request target as it was sent.
    public var target: String { exchange.string(exchange.parser.pointee.head.target) }

    public var query: Query {
        Query(text: exchange.parser.pointee.head.query.map { exchange.string($0) } ?? "")
    }

    /// The host that was asked for, with its port if it has one; empty for an HTTP/1.0 request without Host.
    public var host: String { exchange.string(exchange.parser.pointee.head.authority) }

    /// `https` over TLS, else `http`: of the connection that it came by, whatever a proxy in front says.
    public var scheme: String { exchange.peer.isSecure ? "https" : "http" }

    /// The certificate that the client has shown and that was checked; nil without (`WEIR_TLS_CLIENT`).
    public var clientCertificate: ClientCertificate? { exchange.clientCertificate }

    /// Whether it came before the handshake of its connection was done (`WEIR_TLS_EARLY_DATA`): then somebody else may have
    /// recorded it and sent it again. Only GET, HEAD and OPTIONS do. A handler that must not answer one twice returns
    /// ``Status/tooEarly``, and the client sends it again when the handshake is done (RFC 8470 section 5.2).
    public var isEarly: Bool { exchange.peer.isEarly }

    /// The minor version: 1 for HTTP/1.1, 0 for HTTP/1.0.
    public var minorVersion: Int { Int(exchange.parser.pointee.head.minorVersion) }

    public var headers: RequestHeaders { RequestHeaders(exchange: exchange) }

    public var body: RequestBody { RequestBody(exchange: exchange) }

    /// The value of a parameter of the route's pattern (`:name` or `*name`), decoded.
    /// - Throws: `RequestError.noParameter` if the pattern has none of this name (400).
    public func parameter(_ name: String) throws(RequestError) -> String {
        guard let index = exchange.route?.parameterNames.firstIndex(of: name) else {
            throw RequestError.noParameter(name)
        }
        return exchange.parameter(index)
    }

    /// The value of a parameter as a number or another type that is made from text.
    /// - Throws: `RequestError.badParameter` if the text is none (400).
    public func parameter<Value: LosslessStringConvertible>(
        _ name: String,
        as type: Value.Type
    ) throws(RequestError) -> Value {
        let text = try parameter(name)
        guard let value = Value(text) else { throw RequestError.badParameter(name) }
        return value
    }

    /// The body decoded from JSON, without waiting: for synchronous handlers.
    /// - Throws: `RequestBodyError.tooLarge` (413), `RequestError.badJSON` (400).
    public func decode<Value: Decodable>(_ type: Value.Type, upTo limit: ByteCount? = nil) throws -> Value {
        try Self.decode(type, from: try body.collect(upTo: limit))
    }

    /// The body decoded from JSON.
    /// - Throws: `RequestBodyError`, `RequestError.badJSON` (400).
    public func decode<Value: Decodable>(_ type: Value.Type, upTo limit: ByteCount? = nil) async throws -> Value {
        try Self.decode(type, from: try await body.collect(upTo: limit))
    }

    private static func decode<Value: Decodable>(_ type: Value.Type, from bytes: [UInt8]) throws -> Value {
        do {
            return try JSONDecoder().decode(type, from: Data(bytes))
        } catch {
            throw RequestError.badJSON(String(describing: error))
        }
    }
}

/// What a handler asked of a request that the request does not have: 400.
public enum RequestError: Error, Sendable, Equatable {
    case noParameter(String)
    case badParameter(String)
    /// The body is no JSON of the wanted form; the text is for the log, the client does not see it.
    case badJSON(String)

    var message: String {
        switch self {
        case .noParameter(let name): "there is no parameter \(name)"
        case .badParameter(let name): "the parameter \(name) has a wrong form"
        case .badJSON: "the body is no JSON of the expected form"
        }
    }
}
