// SPDX-License-Identifier: Apache-2.0
// A route as the configuration file describes it, with what holds where it says nothing. A plain value.

/// Which requests, and what becomes of them. Of two routes for the same host, path and method, the first whose header
/// conditions hold takes the request.
package struct RouteConfiguration: Sendable, Equatable {
    package var match: RequestMatch

    /// What becomes of a request.
    package enum Action: Sendable, Equatable {
        /// It is passed on to one of these, chosen by weight; their sum is above 0.
        case forward([WeightedUpstream])
        case redirect(Redirect)
    }

    package var action: Action {
        if let redirect { return .redirect(redirect) }
        return .forward(upstream.map { [WeightedUpstream(upstream: $0, weight: 1)] } ?? split)
    }
    var upstream: String?
    var split: [WeightedUpstream] = []
    var redirect: Redirect?

    package var mirror: Mirror?
    /// Within what time the response's head must be there; not above `Settings.deadline`.
    package var deadline: Duration

    /// Where a request waits to run.
    package enum Pool: Sendable, Equatable {
        /// With all routes that say nothing.
        case pod
        /// Nowhere: it runs at once.
        case none
        /// In one that is declared.
        case named(String)
        /// In the route's own.
        case own(concurrency: Settings.Concurrency, queue: Settings.Count)
    }

    package var pool: Pool {
        if let concurrency { return .own(concurrency: concurrency, queue: queue ?? .automatic) }
        switch poolName {
        case "pod": return .pod
        case "none": return .none
        default: return .named(poolName)
        }
    }
    var poolName = "pod"
    var concurrency: Settings.Concurrency?
    var queue: Settings.Count?

    package var priority = Priority.default
    package var limits: [RateLimit] = []
    package var retry: RetryConfiguration
    package var rewrite = Rewrite()
    package var headers = HeaderEdits()
    /// Nil where no field selects an upstream.
    package var tags: TrafficTags?
    /// Nil where nothing is compared with a baseline.
    package var liveGuard: GuardConfiguration?

    /// All requests, to nobody yet.
    package init(_ settings: Settings) {
        match = RequestMatch(settings)
        deadline = settings.deadline
        retry = RetryConfiguration(settings)
    }
}

/// A share of a route's requests.
package struct WeightedUpstream: Sendable, Equatable {
    package var upstream: String
    package var weight: Int

    package init(upstream: String, weight: Int) {
        self.upstream = upstream
        self.weight = weight
    }
}

/// Requests that are also sent elsewhere; what comes back is thrown away.
package struct Mirror: Sendable, Equatable {
    package var upstream = ""
    package var percent = 100
    /// How many copies may be unanswered at a time.
    package var concurrency = 256
    /// Whether requests that have a body are copied, too.
    package var bodies = true
}

/// An answer that sends the client elsewhere.
package struct Redirect: Sendable, Equatable {
    /// A URL or an absolute path. One without a path (`https://shop.example.com`) keeps path and query of the request.
    package var target = ""
    package var status = 308

    /// Whether path and query of the request are added.
    package var keepsPath: Bool {
        guard let scheme = target.firstRange(of: "://") else { return false }
        return !target[scheme.upperBound...].contains { "/?#".contains($0) }
    }
}
