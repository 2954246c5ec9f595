// SPDX-License-Identifier: Apache-2.0
// A request's head, read slowly: one function for each rule of RFC 9112 and RFC 9110, over arrays, in the RFC's order.

/// What a head says, as far as the RFC reads it.
struct SlowRequest: Equatable {
    var method: [UInt8] = []
    var target: [UInt8] = []
    var minorVersion = 0
    var fields: [SlowField] = []
    var framing = SlowFraming.none
    var options: [[UInt8]] = []
    var byteCount = 0

    enum Outcome: Equatable {
        /// There is no empty line yet.
        case incomplete
        case refused
        case read(SlowRequest)
    }

    static func read(_ bytes: [UInt8]) -> Outcome {
        guard let (lines, byteCount) = SlowHead.lines(bytes, mayBeginEmpty: true) else { return .incomplete }
        var request = SlowRequest()
        request.byteCount = byteCount
        guard let requestLine = lines.first, request.readRequestLine(requestLine) else { return .refused }
        for line in lines.dropFirst() {
            guard let field = SlowHead.field(line) else { return .refused }
            request.fields.append(field)
        }
        guard request.readConnection(), request.hasHost, request.readFraming() else { return .refused }
        return .read(request)
    }

    /// RFC 9112 section 3: `request-line = method SP request-target SP HTTP-version`.
    private mutating func readRequestLine(_ line: Bytes) -> Bool {
        let parts = line.split(separator: 0x20, omittingEmptySubsequences: false)
        guard parts.count == 3, isToken(parts[0]) else { return false }
        method = Array(parts[0])
        target = Array(parts[1])
        guard let minorVersion = SlowHead.minorVersion(parts[2]) else { return false }
        self.minorVersion = minorVersion
        return SlowTarget.isTarget(target, of: method)
    }

    private mutating func readConnection() -> Bool {
        options = fields.connectionOptions
        return options.allSatisfy { isToken($0[...]) }
    }

    /// RFC 9112 section 3.2: one Host in HTTP/1.1, and never two; `Host = uri-host [ ":" port ]`, or nothing.
    private var hasHost: Bool {
        let hosts = fields.values("host")
        guard hosts.count == 1 || hosts.isEmpty && minorVersion == 0 else { return false }
        return hosts.allSatisfy { $0.isEmpty || SlowTarget.isAuthority($0[...]) }
    }

    /// RFC 9112 section 6.3: a request whose last coding is another than chunked has no end.
    private mutating func readFraming() -> Bool {
        guard let framing = SlowFraming.of(fields, minorVersion: minorVersion) else { return false }
        self.framing = framing
        return framing != .coded
    }

    /// RFC 9112 section 9.3.
    var keepsAlive: Bool {
        if options.contains(Array("close".utf8)) { return false }
        return minorVersion == 1 || options.contains(Array("keep-alive".utf8))
    }
}
