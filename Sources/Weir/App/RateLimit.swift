// SPDX-License-Identifier: Apache-2.0
// How people say a rate limit: `.gcra(.perSecond(100), burst: 20)` in code, `100/s;burst=20;by=client` in settings.

import WeirEventLoop
import WeirFlow

/// So many requests in a period.
public struct Rate: Sendable, Equatable {
    let rate: WeirFlow.Rate

    /// - Parameters:
    ///   - amount: 1 to 1000000000.
    ///   - period: 1 s to 365 days.
    public init(_ amount: Int, per period: Duration) {
        let nanoseconds = period.nanosecondsClamped
        precondition(amount > 0 && WeirFlow.Rate.amounts.contains(UInt64(amount)), "a rate's amount is 1 to 1000000000")
        precondition(WeirFlow.Rate.periods.contains(nanoseconds), "a rate's period is 1 s to 365 days")
        rate = WeirFlow.Rate(amount: UInt64(amount), period: nanoseconds)
    }

    public static func perSecond(_ amount: Int) -> Rate { Rate(amount, per: .seconds(1)) }
    public static func perMinute(_ amount: Int) -> Rate { Rate(amount, per: .seconds(60)) }
    public static func perHour(_ amount: Int) -> Rate { Rate(amount, per: .seconds(3600)) }
    public static func perDay(_ amount: Int) -> Rate { Rate(amount, per: .seconds(86400)) }
}

/// What tells the requests of one client, host or route from another's.
public enum RateLimitKey: Sendable, Equatable {
    /// All requests count together.
    case none
    /// The client's address, seen through trusted proxies; IPv6 by its first 64 bits, which one client owns.
    case client
    /// The subject of the client's certificate, or its fingerprint where the subject is empty or has more than 1024 bytes;
    /// requests without a certificate count together.
    case subject
    /// The host that is asked.
    case host
    /// The route.
    case route
    /// The value of a request field; requests without it count together.
    case header(String)
    /// The value of a path parameter. Only routes that have it are limited.
    case parameter(String)
}

/// How many requests are let through in a time; more are answered 429.
public struct RateLimit: Sendable, Equatable {
    let limit: WeirFlow.RateLimit

    /// The text that it was read from; nil for one of the code.
    private var written: String?

    /// What a fault calls it: as it was written, without the name that it was given.
    var shown: String { written ?? description }

    /// However they are written.
    public static func == (one: RateLimit, other: RateLimit) -> Bool { one.limit == other.limit }

    /// Spaces requests evenly beyond a burst (the generic cell rate algorithm, ITU-T I.371).
    ///
    /// - Parameters:
    ///   - rate: how many in which time.
    ///   - burst: how many may come at once from rest, 1 to 1000000000, refilled within 365 days; the rate's amount where
    ///     it is not given.
    public static func gcra(_ rate: Rate, burst: Int? = nil) -> RateLimit {
        RateLimit(.gcra, rate, burst)
    }

    /// As ``gcra(_:burst:)``, counted as tokens that flow into a bucket of `burst`. Both decide alike.
    public static func tokenBucket(_ rate: Rate, burst: Int? = nil) -> RateLimit {
        RateLimit(.tokenBucket, rate, burst)
    }

    /// Counts in windows of the rate's period, the last window by what is left of it.
    ///
    /// - Parameter rate: its amount is at most 131071 for a period of a second, more for longer ones.
    public static func slidingWindow(_ rate: Rate) -> RateLimit {
        RateLimit(.slidingWindow, rate, nil)
    }

    /// The limits that a text says: `100/s;burst=20;by=client`, several with commas, as in `WEIR_RATE_LIMIT`.
    ///
    /// - Throws: `SettingsError.refused` with what is wrong where, and what would be right.
    public static func list(_ text: String) throws(SettingsError) -> [RateLimit] {
        do throws(RateLimitSyntaxError) {
            return try parse(text)
        } catch {
            throw .refused(name: "rate limit", value: text, reason: "\(error)")
        }
    }

    static func parse(_ text: String) throws(RateLimitSyntaxError) -> [RateLimit] {
        // An item for each comma and one more, or the text is refused.
        zip(try RateLimitSyntax.parse(text), text.split(separator: ",", omittingEmptySubsequences: false))
            .map { limit, item in
                var read = RateLimit(limit)
                read.written = String(item.trimmingBlanks)
                return read
            }
    }

    private init(_ algorithm: RateLimitAlgorithm, _ rate: Rate, _ burst: Int?) {
        precondition(burst ?? 1 > 0, "a burst is at least 1")
        limit = WeirFlow.RateLimit(name: "limit", algorithm: algorithm, rate: rate.rate, burst: burst.map(UInt64.init))
    }

    init(_ limit: WeirFlow.RateLimit) {
        self.limit = limit
    }

    /// The same limit with another key and, if it is given, another name.
    func keyed(by key: RateLimitKey, name: String?) -> RateLimit {
        let name = name ?? key.defaultName
        precondition(
            RateLimitSyntax.isName(name),
            "a limit's name is 1 to 64 printable ASCII characters other than quotes and backslashes"
        )
        return RateLimit(
            WeirFlow.RateLimit(
                name: name,
                algorithm: limit.algorithm,
                rate: limit.rate,
                burst: limit.burst,
                key: key.key
            )
        )
    }
}

extension RateLimitKey {
    var key: WeirFlow.RateLimitKey {
        switch self {
        case .none: .none
        case .client: .client
        case .subject: .subject
        case .host: .host
        case .route: .route
        case .header(let name): .header(name.lowercased())
        case .parameter(let name): .parameter(name)
        }
    }

    /// What the response fields call a limit that was given no name.
    fileprivate var defaultName: String {
        switch self {
        case .none: "total"
        case .client: "client"
        case .subject: "subject"
        case .host: "host"
        case .route: "route"
        case .header: "header"
        case .parameter: "param"
        }
    }
}

extension RateLimit: CustomStringConvertible {
    /// The text that ``list(_:)`` reads as this limit.
    public var description: String {
        var text = "\(limit.rate.amount)/\(Self.periodText(limit.rate.period))"
        if limit.algorithm != .slidingWindow, limit.burst != limit.rate.amount { text += ";burst=\(limit.burst)" }
        switch limit.key {
        case .none: break
        case .client: text += ";by=client"
        case .subject: text += ";by=subject"
        case .host: text += ";by=host"
        case .route: text += ";by=route"
        case .header(let name): text += ";by=header:\(name)"
        case .parameter(let name): text += ";by=param:\(name)"
        }
        switch limit.algorithm {
        case .gcra: break
        case .slidingWindow: text += ";algorithm=sliding-window"
        case .tokenBucket: text += ";algorithm=token-bucket"
        }
        return text + ";name=\(limit.name)"
    }

    private static func periodText(_ period: Nanoseconds) -> String {
        let seconds = period / WeirFlow.Rate.second
        for (unit, length) in [("d", UInt64(86400)), ("h", 3600), ("m", 60)] where seconds % length == 0 {
            return seconds == length ? unit : "\(seconds / length)\(unit)"
        }
        return seconds == 1 ? "s" : "\(seconds)s"
    }
}
