// SPDX-License-Identifier: Apache-2.0
// A response's head, read slowly: one function for each rule of RFC 9112 and RFC 9110, over arrays, in the RFC's order.

import WeirHTTP

/// What a head says, as far as the RFC reads it.
struct SlowResponse: Equatable {
    var status = 0
    var reason: [UInt8] = []
    var minorVersion = 0
    var fields: [SlowField] = []
    var body = Body.none
    var options: [[UInt8]] = []
    var byteCount = 0

    enum Body: Equatable {
        case none
        case length(UInt64)
        case chunked
        case untilClose
        /// No more HTTP follows.
        case tunnel
    }

    enum Outcome: Equatable {
        /// There is no empty line yet.
        case incomplete
        case refused
        case read(SlowResponse)
    }

    static func read(_ bytes: [UInt8], answering method: HTTPMethod) -> Outcome {
        guard let (lines, byteCount) = SlowHead.lines(bytes, mayBeginEmpty: false) else { return .incomplete }
        var response = SlowResponse()
        response.byteCount = byteCount
        guard let statusLine = lines.first, response.readStatusLine(statusLine) else { return .refused }
        for line in lines.dropFirst() {
            guard let field = SlowHead.field(line) else { return .refused }
            response.fields.append(field)
        }
        response.options = response.fields.connectionOptions
        let areRight = response.options.allSatisfy { isToken($0[...]) }
        guard areRight, response.switchesRightly, response.readBody(method) else { return .refused }
        return .read(response)
    }

    /// RFC 9112 section 4: `status-line = HTTP-version SP status-code SP [ reason-phrase ]`.
    private mutating func readStatusLine(_ line: Bytes) -> Bool {
        guard line.count >= 12, line[line.startIndex + 8] == 0x20 else { return false }
        guard let minorVersion = SlowHead.minorVersion(line.prefix(8)) else { return false }
        self.minorVersion = minorVersion
        let digits = line.dropFirst(9).prefix(3)
        // RFC 9110 section 15: from 100 to 599.
        guard let status = number(digits), (100...599).contains(status) else { return false }
        self.status = Int(status)
        let rest = line.dropFirst(12)
        // Difference: the space may be missing where nothing follows, as some servers have it.
        if rest.isEmpty { return true }
        reason = Array(rest.dropFirst())
        // `reason-phrase = 1*( HTAB / SP / VCHAR / obs-text )`.
        return rest.first == 0x20 && reason.allSatisfy { $0 == 0x09 || $0 >= 0x20 && $0 != 0x7F }
    }

    /// RFC 9110 sections 7.8 and 15.2.2: who switches says to what, and names the field as meant for this connection.
    private var switchesRightly: Bool { status != 101 || upgrades }

    /// HTTP/1.0 has no Upgrade.
    var upgrades: Bool {
        minorVersion == 1 && !fields.values("upgrade").isEmpty && options.contains(Array("upgrade".utf8))
    }

    /// RFC 9112 section 6.3, in its order: where there is no body, or no more HTTP, the fields say nothing of it.
    private mutating func readBody(_ method: HTTPMethod) -> Bool {
        if status == 101 || method == .connect && (200...299).contains(status) {
            body = .tunnel
            return true
        }
        if method == .head || status < 200 || status == 204 || status == 304 {
            body = .none
            return true
        }
        guard let framing = SlowFraming.of(fields, minorVersion: minorVersion) else { return false }
        body =
            switch framing {
            case .none, .coded: .untilClose
            case .length(let length): .length(length)
            case .chunked: .chunked
            }
        return true
    }

    /// RFC 9112 section 9.3; a body that ends with the connection leaves none.
    var keepsAlive: Bool {
        if body == .untilClose || body == .tunnel || options.contains(Array("close".utf8)) { return false }
        return minorVersion == 1 || options.contains(Array("keep-alive".utf8))
    }
}
