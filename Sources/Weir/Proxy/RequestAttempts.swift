// SPDX-License-Identifier: Apache-2.0
// What the attempts of one request have come to, and whether there is another. A value; on its loop's thread.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

/// The attempts of a request on its way to an upstream: of a client's (``ProxyExchange``) and of a handler's
/// (``ClientCall``). Allocates nothing.
struct RequestAttempts {
    /// Those that have failed.
    private var count = 0
    /// Of these, the ones that failed for something of their endpoint.
    private var failures = 0
    /// The slots of endpoints that have failed it.
    private var tried = TriedEndpoints()
    /// Where it stands among those who wait, once it has waited.
    var place: UInt64?

    var isFirst: Bool { count == 0 }

    /// Whether anything has become of them yet; looked at first, because as a rule there is nothing to forget.
    var isUsed: Bool { count > 0 || place != nil }

    /// A connection for the next attempt, as ``UpstreamPool/lease(to:method:route:tried:key:place:left:edition:yields:)``.
    func lease(
        from pool: UpstreamPool,
        to taker: UpstreamEvents.Taker,
        method: HTTPMethod,
        route: Int,
        key: UInt64,
        left: Nanoseconds,
        edition: Unmanaged<UpstreamEdition>? = nil
    ) -> UpstreamPool.Lease {
        while true {
            let lease = pool.lease(
                to: taker,
                method: method,
                route: route,
                tried: tried,
                key: key,
                place: place,
                left: left,
                edition: edition
            )
            // One that crosses a request that must not be sent twice, or once more, is looked at first.
            guard !method.isIdempotent || !isFirst, case .connection(let reference) = lease,
                reference.takeUnretainedValue().cancelIfStale()
            else { return lease }
        }
    }

    /// Counts an attempt that has failed.
    ///
    /// - Parameters:
    ///   - isReplayable: whether all that was sent of the request can be sent again.
    ///   - left: what is left of its deadline.
    /// - Returns: how long to wait before the next attempt; nil where there is none.
    mutating func waitAfter(
        _ failure: AttemptFailure,
        of endpoint: Endpoint,
        in pool: UpstreamPool,
        on route: Route?,
        method: HTTPMethod,
        isReplayable: Bool,
        left: Nanoseconds
    ) -> Nanoseconds? {
        count += 1
        // The end of one unused connection says nothing of the endpoint, that of two in a row does: elsewhere, then.
        if failure != .stale || count > 1 {
            failures += 1
            tried.insert(endpoint.slot)
        }
        let attempt = FailedAttempt(
            failure: failure,
            attempts: count,
            isIdempotent: method.isIdempotent,
            isReplayable: isReplayable,
            hasOther: pool.upstream.addressCount > failures,
            left: left
        )
        return pool.wait(
            before: route?.retry ?? RetryPolicy(),
            budget: route?.retryBudget ?? RetryBudget.Policy(),
            after: attempt
        )
    }
}

extension HTTPMethod {
    /// Whether carrying a request out twice is the same as once (RFC 9110 section 9.2.2).
    var isIdempotent: Bool {
        switch self {
        case .get, .head, .put, .delete, .options, .trace: true
        case .post, .patch, .connect, .other: false
        }
    }
}
