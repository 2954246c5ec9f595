// SPDX-License-Identifier: Apache-2.0
// What is checked, how often, and how many results in a row it takes. Pure.

package import WeirEventLoop

/// A header field of an HTTP check.
package struct CheckField: Sendable, Equatable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The request of an HTTP check.
package struct HTTPCheck: Sendable, Equatable {
    package var url: CheckURL
    package var method: String
    package var fields: [CheckField]
    package var body: String

    package init(_ url: CheckURL, method: String = "GET", fields: [CheckField] = [], body: String = "") {
        self.url = url
        self.method = method
        self.fields = fields
        self.body = body
    }
}

/// A health check.
package struct CheckDefinition: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
        /// Asks; the answer's status decides.
        case http(HTTPCheck)
        /// Connects; passing if that works.
        case tcp(EndpointURL.Place)
        /// Is told; critical when nothing was heard for so long.
        case ttl(Duration)
    }

    /// Consul's least interval: a shorter one is made this long.
    package static let intervalMin: Duration = .seconds(1)
    /// Consul's timeout where none is given.
    package static let timeoutDefault: Duration = .seconds(10)
    /// Consul's least time in critical before a service is deregistered.
    package static let deregisterAfterMin: Duration = .seconds(60)
    /// The longest method, and the most bytes of fields and body.
    package static let methodBytesMax = 32
    package static let requestBytesMax = 16_384

    package var kind: Kind
    /// From the end of a run to the beginning of the next; nothing for a TTL.
    package var interval: Duration
    /// For the run as a whole; zero for `timeoutDefault`.
    package var timeout: Duration
    package var thresholds: CheckCounter.Thresholds
    /// How long a check may be critical before its service is deregistered; zero for ever.
    package var deregisterCriticalServiceAfter: Duration
    /// The header that what is checked expects of each connection; nil for none.
    package var proxyProtocol: ProxyProtocol.Version?
    /// Whom the connection is to find; nil where it is one without TLS.
    package var tls: TLSTarget?

    package init(
        _ kind: Kind,
        interval: Duration = .zero,
        timeout: Duration = .zero,
        thresholds: CheckCounter.Thresholds = CheckCounter.Thresholds(),
        deregisterCriticalServiceAfter: Duration = .zero,
        proxyProtocol: ProxyProtocol.Version? = nil
    ) {
        self.kind = kind
        self.interval = interval
        self.timeout = timeout
        self.thresholds = thresholds
        self.deregisterCriticalServiceAfter = deregisterCriticalServiceAfter
        self.proxyProtocol = proxyProtocol
    }

    /// Whether somebody has to run it.
    package var isActive: Bool {
        if case .ttl = kind { false } else { true }
    }

    /// What Consul calls its kind.
    package var typeName: String {
        switch kind {
        case .http: "http"
        case .tcp: "tcp"
        case .ttl: "ttl"
        }
    }

    /// The interval that is kept.
    package var effectiveInterval: Duration { max(interval, Self.intervalMin) }

    /// The timeout that is kept.
    package var effectiveTimeout: Duration { timeout > .zero ? timeout : Self.timeoutDefault }

    /// How long until the first run: a random part of the interval, so that what was registered together does not run
    /// together.
    package func firstDelay(using random: inout some RandomNumberGenerator) -> Duration {
        .nanoseconds(Int64.random(in: 0..<Int64(clamping: effectiveInterval.nanosecondsClamped), using: &random))
    }

    /// What is wrong with it, in Consul's words where Consul has them; nil if nothing is.
    package var fault: String? {
        switch kind {
        case .ttl(let ttl):
            if interval > .zero, ttl > .zero { return "Interval and TTL cannot both be specified" }
            if ttl <= .zero { return "TTL must be > 0 for TTL checks" }
        case .http, .tcp:
            if interval <= .zero { return "Interval must be > 0 for HTTP or TCP checks" }
        }
        if (thresholds.failuresBeforeWarning ?? 0) > thresholds.failuresBeforeCritical {
            return "FailuresBeforeWarning can't be higher than FailuresBeforeCritical"
        }
        if case .http(let check) = kind { return check.fault }
        return nil
    }
}

extension HTTPCheck {
    /// What could break the request: its parts go into it as they are.
    fileprivate var fault: String? {
        guard !method.isEmpty, method.utf8.count <= CheckDefinition.methodBytesMax, method.utf8.allSatisfy(\.isToken)
        else { return "Method \(method) is no method" }
        for field in fields {
            guard !field.name.isEmpty, field.name.utf8.allSatisfy(\.isToken) else {
                return "Header \(field.name) is no field name"
            }
            guard field.value.utf8.allSatisfy({ $0 == 9 || $0 >= 0x20 && $0 != 0x7F }) else {
                return "Header \(field.name) has a control character in its value"
            }
            if Self.ownNames.contains(field.name.lowercased()) { return "Header \(field.name) cannot be set" }
        }
        let byteCount = fields.reduce(body.utf8.count) { $0 + $1.name.utf8.count + $1.value.utf8.count }
        guard byteCount <= CheckDefinition.requestBytesMax else {
            return "Header and Body have \(byteCount) bytes; expected at most \(CheckDefinition.requestBytesMax)"
        }
        return nil
    }

    /// Fields that say how the message itself is framed.
    private static let ownNames: Set<String> = ["connection", "content-length", "transfer-encoding", "upgrade", "te"]
}

extension UInt8 {
    /// RFC 9110 section 5.6.2.
    fileprivate var isToken: Bool {
        switch self {
        case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
        case UInt8(ascii: "0")...UInt8(ascii: "9"): true
        default: "!#$%&'*+-.^_`|~".utf8.contains(self)
        }
    }
}
