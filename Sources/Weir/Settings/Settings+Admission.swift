// SPDX-License-Identifier: Apache-2.0
// The settings of what runs at once, what waits, and what is turned away.

extension Settings {
    /// What runs at once, what waits for it, and who goes first.
    public struct Admission: Sendable, Equatable {
        /// The most requests of a pool that run at once, and the most that wait.
        static let countMax = 1_000_000

        /// How many requests run at once. `WEIR_CONCURRENCY`: a number from 1 to 1000000, `256/cpu` for so many for each
        /// CPU of the pod's budget (the default; on all CPUs together at most 1000000 as well), or `auto`: found from
        /// the latency that is measured.
        public var concurrency: Concurrency = .perCPU(256)

        /// How many requests wait for one of those places; one more is answered 503. `WEIR_QUEUE`, 0 to 1000000, default
        /// automatic: four times ``concurrency``, at most 1000000; where that is found from the latency, four times what is
        /// found, and at least 16 for each CPU.
        public var queueMax: Count = .automatic

        /// The request field whose value is the request's class: `critical`, `default` or `sheddable`.
        /// `WEIR_PRIORITY_HEADER`, default none. Anybody may lower the class of a request; only
        /// ``Settings/trustedProxies`` may raise it.
        public var priorityHeader = ""

        /// Over what time `weir_utilization_ratio` is taken. `WEIR_SIGNAL_WINDOW`, default 10 s, 1 s to 10 min.
        public var signalWindow: Duration = .seconds(10)

        /// For how long a peak of the queue is shown. `WEIR_PEAK_WINDOW`, default 60 s, 1 s to 1 h: at least the
        /// interval of the scrapes.
        public var peakWindow: Duration = .seconds(60)

        /// Above what share of the pod's memory limit sheddable requests are turned away, in percent.
        /// `WEIR_MEMORY_SHED`, default 85, 10 to 100. It ends 5 points below.
        public var memoryShedPercent = 85

        /// Above what share of the pod's memory limit all requests are turned away, in percent. `WEIR_MEMORY_CRITICAL`,
        /// default 95, 10 to 100, not below ``memoryShedPercent``.
        public var memoryCriticalPercent = 95

        /// Creates the default settings.
        public init() {}
    }

    /// How many requests may run at once.
    public enum Concurrency: Sendable, Equatable {
        /// So many for each CPU of the pod's budget (`256/cpu`).
        case perCPU(Int)
        /// So many (`64`).
        case exactly(Int)
        /// As many as the service's latency shows that it can carry (`auto`).
        case automatic
    }

    /// How many requests are let through in a time.
    public struct RateLimiting: Sendable, Equatable {
        /// The limits of all routes. `WEIR_RATE_LIMIT`, default none: `100/s;burst=20;by=client`, at most 8 with commas.
        public var limits: [RateLimit] = []

        /// The memory of each keyed limit, in bytes: 16 for each key that is limited at a time.
        /// `WEIR_RATE_LIMIT_TABLE`, 4 KiB to 1 GiB, default automatic: 1 MiB, in a pod of less than 256 MiB a 256th of
        /// its memory, and at least 64 KiB.
        public var tableBytes: Count = .automatic

        /// Whether answers say what is left (`RateLimit` and `RateLimit-Policy`). `WEIR_RATE_LIMIT_FIELDS`, default true.
        /// Refusals always do.
        public var writesFields = true

        /// Whether limits are for this pod or for the cluster: counted in ``redis``, or, without it, divided by the
        /// number of replicas, and then none may have a key. `WEIR_RATE_LIMIT_SCOPE`, default `pod`.
        public var scope: RateLimitScope = .pod

        /// How many replicas there are, or where that is found out. `WEIR_REPLICAS`, default 1, 1 to 100000, or
        /// `k8s://shop/weir`.
        public var replicas: Replicas = 1

        /// Where the limits of the cluster are counted: `redis://user:password@host:6379/0` or `unix:/path`; empty for
        /// nowhere. `WEIR_REDIS`, default none. It needs ``App/countLimits(in:)``. Its user and password are shown masked.
        public var redis = ""

        /// How long Redis may take to answer for a request; then this replica's share of the limit decides.
        /// `WEIR_REDIS_BUDGET`, default 20 ms, 1 ms to 1 s.
        public var redisBudget: Duration = .milliseconds(20)

        /// Creates the default settings: no limit.
        public init() {}
    }

    /// How many replicas there are.
    public enum Replicas: Sendable, Equatable, ExpressibleByIntegerLiteral {
        /// As many, at least 1.
        case fixed(Int)
        /// As many as the Kubernetes Service at this URL has ready pods: `k8s://shop/weir`. 1 until that is known; then
        /// what was known last.
        case counted(String)

        /// Creates a fixed number.
        public init(integerLiteral value: Int) { self = .fixed(value) }
    }

    /// Whom a rate limit is for.
    public enum RateLimitScope: String, Sendable, CaseIterable {
        /// Each pod has the whole limit.
        case pod
        /// All replicas together.
        case cluster
    }
}
