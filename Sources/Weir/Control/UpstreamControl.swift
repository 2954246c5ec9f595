// SPDX-License-Identifier: Apache-2.0
// All upstreams of an engine, as the control loop sees them. Confined to its thread.

package import Logging
package import WeirEventLoop
package import WeirUpstream

/// Follows what the snapshots say, and works out weights ten times a second.
///
/// `@unchecked Sendable`: everything happens on the loop's thread.
package final class UpstreamControl: @unchecked Sendable {
    /// How often weights are worked out: a slow start and an ejection move in steps of it.
    package static let weighInterval: Nanoseconds = 100_000_000

    private let loop: EventLoop
    private let tools: ControlTools
    private let tlsClients: UpstreamTLSClients
    private var filesLookedAt: Nanoseconds = 0
    private var watched: [String: WatchedUpstream] = [:]
    private let replicas: ReplicaWatch
    private lazy var timer = LoopTimer { [unowned self] _ in weigh() }

    package init(on loop: EventLoop, names: any NameSource, _ options: ControlOptions, _ logger: Logger) {
        self.loop = loop
        tlsClients = options.tlsClients
        tools = ControlTools(
            loop: loop,
            names: names,
            runner: CheckRunner(on: loop, options: options.checks),
            consulToken: options.consulToken,
            cluster: options.cluster,
            clusterTLS: options.cluster.api.map { ClusterTLS($0) },
            logger: logger
        )
        replicas = ReplicaWatch(tools, counted: options.replicasCounted)
    }

    package func follow(_ upstreams: [FollowedUpstream]) {
        var former = watched
        watched = [:]
        for followed in upstreams {
            let name = followed.upstream.name
            if let present = former[name], present.upstream === followed.upstream {
                watched[name] = present
                former[name] = nil
            } else {
                watched[name] = WatchedUpstream(followed.upstream, tools)
            }
        }
        for gone in former.values { gone.stop() }
        for followed in upstreams { watched[followed.upstream.name]?.become(followed.plan) }
        if watched.isEmpty { loop.cancel(timer) } else { weigh() }
    }

    /// From now on these replicas are counted; nil for none.
    package func count(replicasOf service: KubernetesService?) {
        replicas.follow(service)
    }

    package func stop() {
        replicas.follow(nil)
        for upstream in watched.values { upstream.stop() }
        watched = [:]
        tools.runner.stop()
        tools.names.stop()
        loop.cancel(timer)
    }

    private func weigh() {
        for watched in watched.values { watched.upstream.reweigh(at: loop.now, log: tools.logger) }
        if loop.now &- filesLookedAt >= UpstreamTLSClients.lookInterval {
            filesLookedAt = loop.now
            tlsClients.look(tools.logger)
        }
        loop.schedule(timer, at: loop.now &+ Self.weighInterval)
    }
}

/// What the upstreams share. Confined to the loop's thread.
struct ControlTools {
    let loop: EventLoop
    let names: any NameSource
    let runner: CheckRunner
    let consulToken: String
    let cluster: ClusterAccess
    /// Nil in no cluster.
    let clusterTLS: ClusterTLS?
    let logger: Logger
}

extension ControlTools {
    /// Whom connections to the cluster's API server are to find.
    var clusterTarget: EndpointSliceWatch.Securing? {
        guard let clusterTLS else { return nil }
        return { () throws(KubernetesProblem) in try clusterTLS.target() }
    }
}
