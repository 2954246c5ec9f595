// SPDX-License-Identifier: Apache-2.0
// What answers tell a client of its rate limits (draft-ietf-httpapi-ratelimit-headers-10): RateLimit-Policy, which stays
// as it is, and RateLimit, which says what is left. Made with a route's limits, immutable; any thread.

import FoundationEssentials
package import WeirFlow
package import WeirHTTP

/// The fields of the limits of a route. All text that does not change is put together once.
///
/// A policy says `q`, the limit's burst, and `w`, the time in which a full burst comes back, in whole seconds rounded
/// up. A client that sends no more than `q` in any `w` is never refused by a GCRA or a token bucket: over any time it
/// stays within the burst and what the rate brings. The rate's own numbers would not do: `100/s;burst=20` refuses the
/// 21st of a hundred requests that come at once. Two things are lost by it. As there is no window below a second, a
/// burst that comes back sooner is told as less than the rate allows, which `RateLimit` makes good. And a sliding
/// window, whose `q` and `w` are its amount and period, may refuse a part of them to a client that sends all at the
/// end of a window.
///
/// `RateLimit` says `r`, what would be allowed at once, and `t`, the seconds until all of `q` is there again, rounded
/// up: who spreads `r` over `t` slows down to the rate and no further. With a refusal `t` is its `Retry-After`.
///
/// `qu` is left out, as limits count requests, its default. `pk` tells the key of a limit by route only: a client is
/// always in one partition by address or host, and a field's or parameter's value may be a secret.
package final class RateLimitFields: Sendable {
    /// The fields' bytes that do not change, in pieces: RateLimit-Policy and the first member of RateLimit up to its
    /// first number, then each further member as far.
    private let text: [UInt8]
    /// Where each piece begins within `text`, and where the last ends.
    private let bounds: [Int]
    /// What both fields take at most.
    package let byteCountMax: Int

    /// - Parameters:
    ///   - limits: At least one; in the order of the decisions that `write` is given.
    ///   - route: The pattern of the route that they are for, if it is for one.
    package init(_ limits: [WeirFlow.RateLimit], route: String? = nil) {
        precondition(!limits.isEmpty, "a List of Structured Fields is not empty")
        let items = limits.map { Self.item($0, route) }
        let policies = zip(items, limits).map { item, limit in "\(item);q=\(limit.burst);w=\(Self.window(limit))" }
        var text = Array("RateLimit-Policy: \(policies.joined(separator: ", "))\r\nRateLimit: ".utf8)
        var bounds = [0]
        for item in items {
            text.append(contentsOf: "\(bounds.count == 1 ? "" : ", ")\(item);r=".utf8)
            bounds.append(text.count)
        }
        self.text = text
        self.bounds = bounds
        byteCountMax = text.count + limits.count * Self.numbersBytesMax + 2
    }

    /// Writes both fields. Allocates nothing.
    ///
    /// - Parameter decisions: One for each limit, in their order.
    package func write(_ decisions: Span<LimitDecision>, into writer: inout HeadWriter) {
        precondition(decisions.count == bounds.count - 1, "a decision for each limit")
        // A copy of the reference: a span of a class's own field would not outlive the access to it.
        let text = text
        let bytes = text.span
        var index = 0
        while index < decisions.count {
            writer.raw(bytes.extracting(bounds[index]..<bounds[index &+ 1]))
            writer.decimal(decisions[index].remaining)
            if let seconds = decisions[index].secondsUntilMore {
                writer.raw(";t=")
                writer.decimal(seconds)
            }
            index &+= 1
        }
        writer.raw("\r\n")
    }

    /// Two numbers of at most 20 digits, and `;t=` between them.
    private static let numbersBytesMax = 43

    private static func item(_ limit: WeirFlow.RateLimit, _ route: String?) -> String {
        let name = quoted(limit.name)
        guard limit.key == .route, let route else { return name }
        return "\(name);pk=:\(Data(route.utf8).base64EncodedString()):"
    }

    /// A String of Structured Fields (RFC 9651 section 3.3.3).
    private static func quoted(_ name: String) -> String {
        precondition(name.utf8.allSatisfy { (0x20...0x7E).contains($0) }, "a limit's name is printable ASCII")
        return "\"" + name.map { $0 == "\"" || $0 == "\\" ? "\\\($0)" : "\($0)" }.joined() + "\""
    }

    /// Seconds in which a full burst comes back, rounded up; at least 1, as zero is no window. At most 365 days.
    private static func window(_ limit: WeirFlow.RateLimit) -> UInt64 {
        let perSecond = UInt128(limit.rate.amount) * UInt128(WeirFlow.Rate.second)
        let refill = UInt128(limit.burst) * UInt128(limit.rate.period)
        return UInt64((refill + perSecond - 1) / perSecond)
    }
}

extension LimitDecision {
    /// The parameter `t`: until the full quota is there again, or, where it was refused, until it would be allowed. Nil
    /// where no time will do.
    var secondsUntilMore: UInt64? {
        let wait = isAllowed ? resetAfter : retryAfter
        return wait == Self.never ? nil : Self.seconds(wait)
    }

    /// Rounded up, so that who waits as long as that has waited long enough. The wait itself has been rounded up to the
    /// nanosecond: a second and one nanosecond is a second.
    static func seconds(_ wait: Nanoseconds) -> UInt64 {
        wait < 2 ? wait : (wait &- 2) / WeirFlow.Rate.second &+ 1
    }
}
