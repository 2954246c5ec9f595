// SPDX-License-Identifier: Apache-2.0
// What an engine runs with: its settings, routes, upstreams, limits and pools. Any thread may have it changed, and look at
// it meanwhile; one at a time changes it.

import Logging
import Synchronization
import WeirEventLoop
import WeirUpstream

/// Makes snapshots and publishes them. A change is compiled whole before anything that runs is another.
final class LiveConfiguration: Sendable {
    /// What is in force.
    struct Present: Sendable {
        /// Nil for an app that was declared by code alone.
        var configuration: GatewayConfiguration?
        var settings: Settings
        fileprivate var routes: DeclaredRoutes
        fileprivate(set) var upstreams: [Upstream]
        /// What each of these is to be.
        fileprivate var plans: [UpstreamPlan]

        /// Says which limits of all routes hold for none, in a line each: a mistyped parameter must not turn a limit off
        /// in silence.
        func warnOfIdleLimits(_ logger: Logger) {
            for limit in routes.idle(among: settings.rateLimiting.limits) {
                logger.warning(
                    "a limit of WEIR_RATE_LIMIT holds for no request: no route has its parameter",
                    metadata: ["limit": .string(limit.shown), "parameter": .string(limit.parameter ?? "")]
                )
            }
        }

        /// What the control loop looks after.
        var followed: ControlPlan {
            ControlPlan(
                upstreams: zip(upstreams, plans).map { FollowedUpstream(upstream: $0, plan: $1) },
                replicas: settings.rateLimiting.scope == .cluster ? settings.rateLimiting.replicas.service : nil
            )
        }
    }

    private let hold: App.Hold
    private let flow: FlowControl
    private let directory: UpstreamDirectory
    private let names: IndexedNames
    let tlsClients: UpstreamTLSClients
    /// Held while something is compiled and published, which takes a while for a large file.
    private let turn = Mutex(())
    private let state: Mutex<Present>

    private init(
        _ hold: App.Hold,
        _ flow: FlowControl,
        _ directory: UpstreamDirectory,
        _ names: IndexedNames,
        _ tlsClients: UpstreamTLSClients,
        _ present: Present
    ) {
        self.hold = hold
        self.flow = flow
        self.directory = directory
        self.names = names
        self.tlsClients = tlsClients
        state = Mutex(present)
    }

    /// Compiles the first snapshot, for a server that is to be made.
    static func start(
        _ hold: App.Hold,
        _ configuration: GatewayConfiguration?,
        _ settings: Settings,
        _ flow: FlowControl
    ) throws(AppError) -> (LiveConfiguration, Snapshot) {
        let directory = UpstreamDirectory()
        let routes = hold.routes(configuration)
        let tlsClients = UpstreamTLSClients()
        let plans = try tlsClients.equip(routes.upstreamPlans(settings))
        let upstreams = directory.drafts(plans)
        let draft = flow.draft(settings)
        let snapshot = try hold.snapshot(of: routes, settings, upstreams: upstreams, flow: draft)
        flow.commit(draft)
        directory.publish(upstreams)
        let present = Present(
            configuration: configuration,
            settings: settings,
            routes: routes,
            upstreams: upstreams.map(\.upstream),
            plans: plans
        )
        return (LiveConfiguration(hold, flow, directory, snapshot.names, tlsClients, present), snapshot)
    }

    /// What is in force now.
    var present: Present { state.withLock { $0 } }

    /// Takes `configuration` over: nothing of it where something of it cannot be used, all of it but what waits for a
    /// restart otherwise.
    ///
    /// - Returns: the version of the snapshot, and what is another.
    func replace(
        by configuration: GatewayConfiguration,
        on server: HTTPServer
    ) throws(AppError) -> (version: UInt64, changes: ReloadChanges) {
        try turn.withLock { _ throws(AppError) in
            let present = present
            let settings = configuration.settings.inForce(behind: present.settings)
            do throws(SettingsError) {
                try settings.validate()
                try settings.checkConcurrency(cpus: flow.cpus)
            } catch {
                throw .settings(error)
            }
            let routes = hold.routes(configuration)
            let plans = Self.admitted(
                try tlsClients.equip(routes.upstreamPlans(settings)),
                behind: present.upstreams
            )
            let upstreams = directory.drafts(plans)
            let version = try publish(routes, settings, upstreams, on: server)
            directory.publish(upstreams)
            tlsClients.keep(plans)
            // What is counted the control loop will tell.
            if settings.rateLimiting.replicas != present.settings.rateLimiting.replicas,
                case .fixed(let count) = settings.rateLimiting.replicas
            {
                flow.observeReplicas(count, now: LoopClock.monotonic.now)
            }
            let next = Present(
                configuration: configuration,
                settings: settings,
                routes: routes,
                upstreams: upstreams.map(\.upstream),
                plans: plans
            )
            state.withLock { $0 = next }
            return (version, ReloadChanges(from: present, to: configuration))
        }
    }

    /// Compiles what is in force anew, because limits are divided by another number of replicas, or are for another number
    /// of CPUs.
    func publishAnew(on server: HTTPServer) {
        turn.withLock { _ in
            let present = present
            // It has been compiled before, and nothing but its limits is another.
            let upstreams = present.upstreams.map { UpstreamDraft(asIs: $0) }
            _ = try? publish(present.routes, present.settings, upstreams, on: server)
        }
    }

    private func publish(
        _ routes: DeclaredRoutes,
        _ settings: Settings,
        _ upstreams: [UpstreamDraft],
        on server: HTTPServer
    ) throws(AppError) -> UInt64 {
        let draft = flow.draft(settings)
        var published: UInt64 = 0
        try server.republish { version throws(AppError) in
            let snapshot = try hold.snapshot(
                of: routes,
                settings,
                version: version,
                upstreams: upstreams,
                names: names,
                flow: draft
            )
            flow.announce(draft)
            published = version
            return snapshot
        }
        flow.commit(draft)
        return published
    }

    /// A service that is ready stays so: what a reload adds or moves has not answered yet, and what is wrong with it is
    /// wrong on every replica.
    private static func admitted(_ plans: [UpstreamPlan], behind former: [Upstream]) -> [UpstreamPlan] {
        let awaited = former.filter(\.policy.gatesReadiness)
        guard awaited.isEmpty || awaited.contains(where: \.hasAnswered) else { return plans }
        return plans.map { plan in
            var plan = plan
            plan.policy.gatesReadiness = false
            return plan
        }
    }
}
