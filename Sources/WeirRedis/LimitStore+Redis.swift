// SPDX-License-Identifier: Apache-2.0
// Redis as the store of an app's limits: what the engine is told of it.

public import Weir
import WeirEventLoop
import WeirFlow

extension LimitStore {
    /// Redis 5 or later, or Valkey, where `WEIR_REDIS` says; see ``App/countLimits(in:)``.
    ///
    /// Each event loop has a connection of its own, and makes it again when it is lost. A request costs one round trip,
    /// and none where its key is known to be over its limit. Where Redis is away, or slower than `WEIR_REDIS_BUDGET`, this
    /// replica's share of the limit decides.
    public static var redis: LimitStore {
        LimitStore(
            fault: { place in
                do throws(RedisURLError) {
                    _ = try RedisURL(parsing: place)
                    return nil
                } catch {
                    return error.description
                }
            },
            open: { plan, loop in LoopStore(RedisLimiter(plan, on: loop)) }
        )
    }
}

extension RedisLimiter {
    fileprivate convenience init(_ plan: StorePlan, on loop: EventLoop) {
        guard let url = try? RedisURL(parsing: plan.place) else {
            preconditionFailure("a place that `fault` should have refused")
        }
        var options = RedisLimiterOptions()
        options.budget = plan.budget
        self.init(
            url,
            limits: plan.limits,
            on: loop,
            options: options,
            answered: plan.answered,
            report: { [report = plan.report] news in
                switch news {
                case .ready: report(.ready)
                case .away(let problem): report(.away(problem.description))
                }
            }
        )
    }
}

extension LoopStore {
    fileprivate init(_ limiter: RedisLimiter) {
        self.init(
            limiter,
            check: { context, items, decisions, taker in
                Self.with(context) { $0.check(items, decisions: decisions, for: taker) }
            },
            cancel: { context, ticket in Self.with(context) { $0.cancel(ticket) } },
            replace: { context, limits in Self.with(context) { $0.replace(limits) } },
            start: { context in Self.with(context) { $0.start() } },
            stop: { context in Self.with(context) { $0.stop() } }
        )
    }

    private static func with<Result>(_ context: Context, _ body: (RedisLimiter) -> Result) -> Result {
        // The table keeps its owner.
        Unmanaged<RedisLimiter>.fromOpaque(context)._withUnsafeGuaranteedRef(body)
    }
}
