// SPDX-License-Identifier: Apache-2.0
// The field names that the engine asks for by number instead of by bytes.

/// A field name that is recognised while parsing, or `.other`.
///
/// At most 64 cases: the parser keeps a bit for each that it has seen.
package enum HeaderName: UInt8, Sendable, CaseIterable {
    /// Any name that is not in this list.
    case other
    /// A name with `_` that reads as one which a gateway writes or withholds, to whoever makes no difference between
    /// `_` and `-`, as CGI and its heirs do (RFC 3875 section 4.1.18).
    case lookalike
    /// The name that the parser was given as that of the deadline (`ChosenName`); none of those below.
    case deadline
    case accept
    case acceptEncoding
    case acceptLanguage
    case authorization
    case cacheControl
    case connection
    case contentEncoding
    case contentLength
    case contentRange
    case contentType
    case cookie
    case date
    case expect
    case forwarded
    case grpcTimeout
    case host
    case ifMatch
    case ifModifiedSince
    case ifNoneMatch
    case ifUnmodifiedSince
    case keepAlive
    case maxForwards
    case origin
    case pragma
    case priority
    case proxyAuthenticate
    case proxyAuthenticationInfo
    case proxyAuthorization
    case proxyConnection
    case range
    case referer
    case secWebSocketKey
    case secWebSocketVersion
    case server
    case te
    case traceparent
    case tracestate
    case trailer
    case transferEncoding
    case upgrade
    case userAgent
    case via
    case xEnvoyExpectedRequestTimeout
    case xForwardedClientCert
    case xForwardedFor
    case xForwardedHost
    case xForwardedPort
    case xForwardedProto
    case xRealIP
    case xRequestID

    /// Whether it is one name, and not any of many.
    var isOne: Bool { self != .other && self != .lookalike }

    /// The name in lower case; empty where it is not one, or one that is chosen.
    package var text: StaticString {
        switch self {
        case .other, .lookalike, .deadline: ""
        case .accept: "accept"
        case .acceptEncoding: "accept-encoding"
        case .acceptLanguage: "accept-language"
        case .authorization: "authorization"
        case .cacheControl: "cache-control"
        case .connection: "connection"
        case .contentEncoding: "content-encoding"
        case .contentLength: "content-length"
        case .contentRange: "content-range"
        case .contentType: "content-type"
        case .cookie: "cookie"
        case .date: "date"
        case .expect: "expect"
        case .forwarded: "forwarded"
        case .grpcTimeout: "grpc-timeout"
        case .host: "host"
        case .ifMatch: "if-match"
        case .ifModifiedSince: "if-modified-since"
        case .ifNoneMatch: "if-none-match"
        case .ifUnmodifiedSince: "if-unmodified-since"
        case .keepAlive: "keep-alive"
        case .maxForwards: "max-forwards"
        case .origin: "origin"
        case .pragma: "pragma"
        case .priority: "priority"
        case .proxyAuthenticate: "proxy-authenticate"
        case .proxyAuthenticationInfo: "proxy-authentication-info"
        case .proxyAuthorization: "proxy-authorization"
        case .proxyConnection: "proxy-connection"
        case .range: "range"
        case .referer: "referer"
        case .secWebSocketKey: "sec-websocket-key"
        case .secWebSocketVersion: "sec-websocket-version"
        case .server: "server"
        case .te: "te"
        case .traceparent: "traceparent"
        case .tracestate: "tracestate"
        case .trailer: "trailer"
        case .transferEncoding: "transfer-encoding"
        case .upgrade: "upgrade"
        case .userAgent: "user-agent"
        case .via: "via"
        case .xEnvoyExpectedRequestTimeout: "x-envoy-expected-rq-timeout-ms"
        case .xForwardedClientCert: "x-forwarded-client-cert"
        case .xForwardedFor: "x-forwarded-for"
        case .xForwardedHost: "x-forwarded-host"
        case .xForwardedPort: "x-forwarded-port"
        case .xForwardedProto: "x-forwarded-proto"
        case .xRealIP: "x-real-ip"
        case .xRequestID: "x-request-id"
        }
    }

    /// The name that `text` is, in any case; `.other` for what is no token.
    package init(_ text: String) {
        let bytes = Array(text.utf8)
        self = FieldSyntax.isToken(bytes.span) ? Self.recognise(bytes.span, 0, bytes.count) : .other
    }

    /// The name of the valid token at `start`, in any case.
    ///
    /// By length first: at most seven comparisons of one to three words follow.
    static func recognise(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> HeaderName {
        switch count {
        case 2:
            if ByteScan.tokenMatches(bytes, start, count, "te") { return .te }
        case 3:
            if ByteScan.tokenMatches(bytes, start, count, "via") { return .via }
        case 4:
            if ByteScan.tokenMatches(bytes, start, count, "host") { return .host }
            if ByteScan.tokenMatches(bytes, start, count, "date") { return .date }
        case 5:
            if ByteScan.tokenMatches(bytes, start, count, "range") { return .range }
        case 6:
            if ByteScan.tokenMatches(bytes, start, count, "cookie") { return .cookie }
            if ByteScan.tokenMatches(bytes, start, count, "accept") { return .accept }
            if ByteScan.tokenMatches(bytes, start, count, "expect") { return .expect }
            if ByteScan.tokenMatches(bytes, start, count, "origin") { return .origin }
            if ByteScan.tokenMatches(bytes, start, count, "pragma") { return .pragma }
            if ByteScan.tokenMatches(bytes, start, count, "server") { return .server }
        case 7:
            if ByteScan.tokenMatches(bytes, start, count, "referer") { return .referer }
            if ByteScan.tokenMatches(bytes, start, count, "trailer") { return .trailer }
            if ByteScan.tokenMatches(bytes, start, count, "upgrade") { return .upgrade }
        case 8:
            if ByteScan.tokenMatches(bytes, start, count, "if-match") { return .ifMatch }
            if ByteScan.tokenMatches(bytes, start, count, "priority") { return .priority }
        case 9:
            if ByteScan.tokenMatches(bytes, start, count, "forwarded") { return .forwarded }
            if ByteScan.tokenMatches(bytes, start, count, "x-real-ip") { return .xRealIP }
        case 10:
            if ByteScan.tokenMatches(bytes, start, count, "connection") { return .connection }
            if ByteScan.tokenMatches(bytes, start, count, "user-agent") { return .userAgent }
            if ByteScan.tokenMatches(bytes, start, count, "keep-alive") { return .keepAlive }
            if ByteScan.tokenMatches(bytes, start, count, "tracestate") { return .tracestate }
        case 11:
            if ByteScan.tokenMatches(bytes, start, count, "traceparent") { return .traceparent }
        case 12:
            if ByteScan.tokenMatches(bytes, start, count, "content-type") { return .contentType }
            if ByteScan.tokenMatches(bytes, start, count, "grpc-timeout") { return .grpcTimeout }
            if ByteScan.tokenMatches(bytes, start, count, "max-forwards") { return .maxForwards }
            if ByteScan.tokenMatches(bytes, start, count, "x-request-id") { return .xRequestID }
        case 13:
            if ByteScan.tokenMatches(bytes, start, count, "authorization") { return .authorization }
            if ByteScan.tokenMatches(bytes, start, count, "cache-control") { return .cacheControl }
            if ByteScan.tokenMatches(bytes, start, count, "content-range") { return .contentRange }
            if ByteScan.tokenMatches(bytes, start, count, "if-none-match") { return .ifNoneMatch }
        case 14:
            if ByteScan.tokenMatches(bytes, start, count, "content-length") { return .contentLength }
        case 15:
            if ByteScan.tokenMatches(bytes, start, count, "accept-encoding") { return .acceptEncoding }
            if ByteScan.tokenMatches(bytes, start, count, "accept-language") { return .acceptLanguage }
            if ByteScan.tokenMatches(bytes, start, count, "x-forwarded-for") { return .xForwardedFor }
        case 16:
            if ByteScan.tokenMatches(bytes, start, count, "content-encoding") { return .contentEncoding }
            if ByteScan.tokenMatches(bytes, start, count, "proxy-connection") { return .proxyConnection }
            if ByteScan.tokenMatches(bytes, start, count, "x-forwarded-host") { return .xForwardedHost }
            if ByteScan.tokenMatches(bytes, start, count, "x-forwarded-port") { return .xForwardedPort }
        case 17:
            if ByteScan.tokenMatches(bytes, start, count, "transfer-encoding") { return .transferEncoding }
            if ByteScan.tokenMatches(bytes, start, count, "if-modified-since") { return .ifModifiedSince }
            if ByteScan.tokenMatches(bytes, start, count, "sec-websocket-key") { return .secWebSocketKey }
            if ByteScan.tokenMatches(bytes, start, count, "x-forwarded-proto") { return .xForwardedProto }
        case 18:
            if ByteScan.tokenMatches(bytes, start, count, "proxy-authenticate") { return .proxyAuthenticate }
        case 19:
            if ByteScan.tokenMatches(bytes, start, count, "if-unmodified-since") { return .ifUnmodifiedSince }
            if ByteScan.tokenMatches(bytes, start, count, "proxy-authorization") { return .proxyAuthorization }
        case 21:
            if ByteScan.tokenMatches(bytes, start, count, "sec-websocket-version") { return .secWebSocketVersion }
        case 23:
            if ByteScan.tokenMatches(bytes, start, count, "x-forwarded-client-cert") { return .xForwardedClientCert }
        case 25:
            if ByteScan.tokenMatches(bytes, start, count, "proxy-authentication-info") {
                return .proxyAuthenticationInfo
            }
        case 30:
            if ByteScan.tokenMatches(bytes, start, count, "x-envoy-expected-rq-timeout-ms") {
                return .xEnvoyExpectedRequestTimeout
            }
        default:
            break
        }
        return isLookalike(bytes, start, count) ? .lookalike : .other
    }

    /// Whether the name has `_` where one of these has `-`: what says who the client is or which request this is, and
    /// what frames a message or is for one connection.
    private static func isLookalike(_ bytes: Span<UInt8>, _ start: Int, _ count: Int) -> Bool {
        func reads(_ literal: StaticString) -> Bool {
            ByteScan.tokenMatches(bytes, start, count, withUnderscores: literal)
        }
        return switch count {
        case 9: reads("x-real-ip")
        case 10: reads("keep-alive")
        case 12: reads("x-request-id")
        case 14: reads("content-length")
        case 15: reads("x-forwarded-for")
        case 16: reads("x-forwarded-host") || reads("x-forwarded-port") || reads("proxy-connection")
        case 17: reads("x-forwarded-proto") || reads("transfer-encoding")
        case 18: reads("proxy-authenticate")
        case 19: reads("proxy-authorization")
        case 23: reads("x-forwarded-client-cert")
        case 25: reads("proxy-authentication-info")
        default: false
        }
    }
}
