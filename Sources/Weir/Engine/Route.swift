// SPDX-License-Identifier: Apache-2.0
// A route as the engine runs it: compiled from what was registered, immutable from then on.

import Synchronization
import WeirEventLoop
import WeirFlow
import WeirRouting
import WeirUpstream

/// How a route's requests are answered.
enum Handler: Sendable {
    typealias Synchronous = @Sendable (Request, RequestContext) throws -> Response
    typealias Asynchronous = @Sendable (Request, RequestContext) async throws -> Response

    /// On the loop, at once: declared not to block.
    case loop(Synchronous)
    /// On the worker pool.
    case workers(Synchronous)
    /// In a task whose executor is the loop.
    case async(Asynchronous)
    /// In a task whose executor is the worker pool.
    case asyncOnWorkers(Asynchronous)
    /// By an upstream.
    case proxy(UpstreamReference)
}

/// One route of a snapshot.
final class Route: Sendable {
    /// What it is counted under, the same in every snapshot: the index of its pattern in `Snapshot.names`.
    let index: Int32
    let methods: MethodSet
    let host: String?
    let pattern: String
    let handler: Handler
    let parameterNames: [String]
    let deadlineNanoseconds: Nanoseconds
    let bodyBytesMax: Int
    /// The place in `Snapshot.upstreams` of where requests are passed on to without middleware; -1 for a handler.
    let upstreamIndex: Int
    /// Where requests are passed on to, with or without middleware before; nil for a handler.
    let upstream: RouteUpstream?
    /// `upstream` again, for the same reason as `poolReference`.
    let upstreamReference: Unmanaged<RouteUpstream>?
    /// Nil for none.
    let limits: RouteLimits?
    /// Nil for a route whose requests run at once, whatever else runs.
    let pool: AdmissionPool?
    /// `pool` again, for where counting its references would have all loops write one word.
    let poolReference: Unmanaged<AdmissionPool>?
    /// What of the pool is this route's, and that of all with its pattern. The pool keeps it.
    let shareReference: Unmanaged<PoolShare>?
    let priority: WeirFlow.Priority
    /// Which upstream a request goes to, where there are several; nil for `upstream`.
    let split: RouteSplit?
    /// When a request that an endpoint has failed is sent again.
    let retry: RetryPolicy
    let retryBudget: RetryBudget.Policy
    /// Its live guard; nil for none.
    private let watch: RouteWatch?
    /// `watch` again, for the same reason as `poolReference`.
    let watchReference: Unmanaged<RouteWatch>?
    /// What is changed of the messages that pass; nil for nothing.
    let rewrites: RouteRewrites?
    /// `rewrites` again, for where counting its references would have all loops write one word.
    let rewritesReference: Unmanaged<RouteRewrites>?
    /// Values of a field that select another upstream than the route's; nil for none.
    let tags: RouteTags?
    /// `tags` again, for where counting its references would have all loops write one word.
    let tagsReference: Unmanaged<RouteTags>?
    /// Where its requests are copied to; nil for nowhere.
    let mirror: RouteMirror?
    /// `mirror` again, for where counting its references would have all loops write one word.
    let mirrorReference: Unmanaged<RouteMirror>?
    /// The routes among which header conditions choose where the table has found this one; nil for this alone.
    let chain: RouteChain?
    /// Whether the handler has the body whole or not at all.
    let collectsBody: Bool
    /// The index of the pattern in the access log's names, once a request was logged.
    let logIndex = Atomic<Int32>(notLogged)

    static let notLogged = Int32.min

    init(
        index: Int,
        methods: MethodSet,
        host: String?,
        pattern: String,
        handler: Handler,
        parameterNames: [String],
        deadlineNanoseconds: Nanoseconds,
        bodyBytesMax: Int,
        upstreamIndex: Int = -1,
        upstream: RouteUpstream? = nil,
        limits: RouteLimits? = nil,
        pool: AdmissionPool? = nil,
        priority: WeirFlow.Priority = .default,
        split: RouteSplit? = nil,
        retry: RetryPolicy = RetryPolicy(),
        retryBudget: RetryBudget.Policy = RetryBudget.Policy(),
        watch: RouteWatch? = nil,
        rewrites: RouteRewrites? = nil,
        tags: RouteTags? = nil,
        readsBody: Bool = true,
        mirror: RouteMirror? = nil,
        chain: RouteChain? = nil
    ) {
        self.index = Int32(index)
        self.methods = methods
        self.host = host
        self.pattern = pattern
        self.handler = handler
        self.parameterNames = parameterNames
        self.deadlineNanoseconds = deadlineNanoseconds
        self.bodyBytesMax = bodyBytesMax
        self.upstreamIndex = upstreamIndex
        self.upstream = upstream
        upstreamReference = upstream.map(Unmanaged.passUnretained)
        self.limits = limits
        self.pool = pool
        poolReference = pool.map(Unmanaged.passUnretained)
        shareReference = pool.map { Unmanaged.passUnretained($0.share(of: pattern)) }
        self.priority = priority
        self.split = split
        self.retry = retry
        self.retryBudget = retryBudget
        self.watch = watch
        self.rewrites = rewrites
        rewritesReference = rewrites.map(Unmanaged.passUnretained)
        watchReference = watch.map(Unmanaged.passUnretained)
        self.tags = tags
        tagsReference = tags.map(Unmanaged.passUnretained)
        self.mirror = mirror
        mirrorReference = mirror.map(Unmanaged.passUnretained)
        self.chain = chain
        collectsBody =
            switch handler {
            case .loop, .workers: readsBody
            case .async, .asyncOnWorkers, .proxy: false
            }
    }
}

/// Everything that a change of configuration changes, as one immutable value with a version.
package final class Snapshot: Sendable {
    package let version: UInt64
    let table: RouteTable
    let routes: [Route]
    /// Where routes pass requests on to, and what handlers ask.
    let upstreams: [Upstream]
    /// What each of these is, as long as loops go by this snapshot.
    let editions: [UpstreamEdition]
    /// The patterns of routes, and their tags, in this snapshot and those before it.
    let names: IndexedNames
    /// The methods that some route answers, as `Allow` says it, for `OPTIONS *`.
    let allow: String

    init(
        version: UInt64,
        table: RouteTable,
        routes: [Route],
        upstreams: [UpstreamDraft] = [],
        names: IndexedNames = IndexedNames(countMax: Snapshot.namesMax)
    ) {
        self.version = version
        self.table = table
        self.routes = routes
        self.upstreams = upstreams.map(\.upstream)
        editions = upstreams.map(\.edition)
        self.names = names
        var methods = routes.reduce(into: MethodSet.options) { $0.formUnion($1.methods) }
        if methods.contains(.get) { methods.insert(.head) }
        allow = methods.allowHeader
    }

    /// The most names of routes over all snapshots; beyond it a route is counted with the requests that met none.
    static let namesMax = 65536
}
