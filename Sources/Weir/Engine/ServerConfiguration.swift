// SPDX-License-Identifier: Apache-2.0
// The settings in the form in which the engine uses them: nanoseconds, plain numbers, the codec's limits.

import WeirEventLoop
import WeirHTTP

/// What the codec and the loops read of the settings on the hot path.
struct ServerConfiguration: Sendable {
    let http: HTTPLimits
    /// The field of the settings that says how long the client waits.
    let deadlineName: ChosenName?
    /// The name in lower case of the field that says a request's traffic tag; empty for none.
    let tagName: [UInt8]
    let bodyWindowBytes: Int
    let outputWindowBytes: Int
    let requestsPerConnection: Int
    /// `.max` for no limit.
    let connectionAge: Nanoseconds
    let headTimeout: Nanoseconds
    let bodyTimeout: Nanoseconds
    let keepAliveTimeout: Nanoseconds
    let writeTimeout: Nanoseconds
    let handshakeTimeout: Nanoseconds
    let handshakesPerTurn: Int
    /// Where requests without TLS are sent; 0 for nowhere.
    let redirectPort: Int
    /// What answers over TLS say to browsers; nil for nothing.
    let strictTransport: StrictTransport?
    /// Bytes that must move within one timeout of a body or of a response that is being taken.
    let bodyBytesPerTimeoutMin: UInt64
    let writeBytesPerTimeoutMin: UInt64
    let stallNanoseconds: Nanoseconds
    let tunnelTimeout: Nanoseconds
    let trustedProxies: TrustedNetworks
    let takesProxyProtocol: Bool

    /// Bytes of an unwanted body that are thrown away to keep a connection; beyond, closing it is cheaper.
    static let discardBytesMax = 256 << 10

    init(_ settings: Settings) {
        var http = HTTPLimits()
        http.requestLineBytesMax = settings.limits.requestLineBytes
        http.headerBytesMax = settings.limits.headerBytes
        http.headerFieldsMax = settings.limits.headerFields
        self.http = http
        deadlineName = ChosenName(settings.deadlineHeader)
        tagName = Array(settings.tagHeader.lowercased().utf8)
        bodyWindowBytes = settings.limits.bodyWindowBytes
        outputWindowBytes = settings.limits.outputWindowBytes
        requestsPerConnection = settings.limits.requestsPerConnection
        connectionAge = settings.limits.connectionAge.map(\.nanosecondsClamped) ?? .max
        headTimeout = settings.timeouts.head.nanosecondsClamped
        bodyTimeout = settings.timeouts.body.nanosecondsClamped
        keepAliveTimeout = settings.timeouts.keepAlive.nanosecondsClamped
        writeTimeout = settings.timeouts.write.nanosecondsClamped
        handshakeTimeout = settings.tls.handshakeTimeout.nanosecondsClamped
        handshakesPerTurn = settings.tls.handshakesPerTurn
        redirectPort = settings.tls.redirectPort
        strictTransport = StrictTransport(settings.tls.strictTransport)
        let rate = Double(settings.timeouts.bodyRateMin)
        bodyBytesPerTimeoutMin = UInt64(rate * Double(bodyTimeout) / 1e9)
        writeBytesPerTimeoutMin = UInt64(rate * Double(writeTimeout) / 1e9)
        stallNanoseconds = settings.loopStall.nanosecondsClamped
        tunnelTimeout = settings.tunnelTimeout.nanosecondsClamped
        // Validated with the settings.
        trustedProxies = TrustedNetworks(settings.trustedProxies.joined(separator: ",")) ?? TrustedNetworks()
        takesProxyProtocol = settings.takesProxyProtocol
    }
}
