// SPDX-License-Identifier: Apache-2.0
// The admin port: probes, metrics and what is in force, on a loop of its own, so that it answers whatever the service
// does.

import WeirEventLoop
import WeirMetrics
import WeirUpstream

/// Makes the routes of the admin port.
struct AdminRoutes {
    let settings: Settings
    let reload: ConfigurationReload
    /// Nil for an app whose configuration is not read anew.
    let reloader: Reloader?
    let server: HTTPServer
    let health: EngineHealth
    let drain: Drain
    let workers: WorkerPool
    let log: LogOutput?
    let accessLog: AccessLog?
    let registry: HealthRegistry
    /// What the app itself measures.
    let samples: @Sendable () -> [MetricSample]

    /// A page of the admin port.
    private struct Page {
        let path: String
        /// What the index says of it; empty for what is not there.
        let summary: String
        var methods: [Method] = [.get]
        var deadline: Duration = Settings().deadline
        var bodyLimit: ByteCount?
        let handler: Handler
    }

    func compile() throws(AppError) -> Snapshot {
        let pages = pages + consulPages
        let index = Self.index(of: pages.filter { !$0.summary.isEmpty })
        let all = pages + [Page(path: "/", summary: "", handler: .loop { _, _ in .text(index) })]
        let declared = all.flatMap { page in
            page.methods.map { method in
                DeclaredRoute(
                    methods: method.set,
                    pattern: page.path,
                    handler: page.handler,
                    properties: RouteProperties(deadline: page.deadline, bodyLimit: page.bodyLimit)
                )
            }
        }
        var settings = Settings()
        settings.deadline = all.map(\.deadline).max() ?? settings.deadline
        return try DeclaredRoutes(declared).snapshot(settings)
    }

    private var pages: [Page] {
        let metrics = MetricsPage(
            server: server,
            workers: workers,
            log: log,
            accessLog: accessLog,
            registry: registry,
            reloads: reloader == nil ? nil : reload.status,
            tlsClients: reload.live.tlsClients,
            appSamples: samples
        )
        let drain = DrainPage(drain: drain, access: AdminAccess(token: settings.adminToken))
        return [
            Page(
                path: "/livez",
                summary: "200 while every event loop turns",
                handler: .loop { [health] _, _ in Self.livez(health) }
            ),
            Page(
                path: "/readyz",
                summary: "200 while requests should be sent here",
                handler: .loop { [health, server] _, _ in
                    Readiness(health.stage, upstreams: server.snapshot.upstreams).response
                }
            ),
            Page(
                path: "/startupz",
                summary: "200 once requests are taken, and from then on",
                handler: .loop { [health] _, _ in Self.startupz(health) }
            ),
            Page(
                path: "/metrics",
                summary: "Prometheus text",
                handler: .loop { _, _ in metrics.response() }
            ),
            Page(
                path: "/config",
                summary: "the settings in force, and where each comes from; the pod's budget",
                handler: .loop { [reload, reloader] _, _ in
                    let present = reload.live.present
                    let hasUpstreams = reloader != nil || !present.upstreams.isEmpty
                    let page = ConfigurationPage.json(
                        present.settings,
                        given: present.configuration?.settings,
                        fault: reload.status.fault,
                        budget: BudgetReport(PodBudget.read(present.settings, hasUpstreams: hasUpstreams))
                    )
                    return .bytes(page, contentType: "application/json")
                }
            ),
            Page(
                path: "/queue",
                summary: "what runs and what waits, of the pod and by pool",
                handler: .loop { [server] _, _ in
                    guard let flow = server.shared.flow else { throw HTTPError(.notFound) }
                    let page = QueuePage.json(
                        FlowSnapshot(flow, now: LoopClock.monotonic.now),
                        QueuePage.Counts(server.shards)
                    )
                    return .bytes(page, contentType: "application/json")
                }
            ),
            Page(
                path: "/guard",
                summary: "the routes with a live guard, their baselines, and whether they are degraded",
                handler: .loop { [server] _, _ in
                    .bytes(GuardPage.json(server.shared.flow?.guards ?? []), contentType: "application/json")
                }
            ),
            Page(
                path: "/upstreams",
                summary: "the endpoints that requests are passed on to",
                handler: .loop { [server] _, _ in
                    .bytes(UpstreamsPage.json(server.snapshot.upstreams), contentType: "application/json")
                }
            ),
            Page(
                path: "/drain",
                summary: "begins the drain, and answers when nothing is in flight (loopback, or with the token)",
                methods: [.get, .post],
                // It answers when the drain ends, which has a bound of its own.
                deadline: settings.drainTimeout + Self.drainGrace,
                handler: .async { request, _ in try await drain.answer(request) }
            ),
        ] + reloadPages
    }

    private var reloadPages: [Page] {
        guard let reloader else { return [] }
        let page = ReloadPage(reloader: reloader, access: AdminAccess(token: settings.adminToken))
        return [
            Page(
                path: "/reload",
                summary:
                    "POST reads the configuration anew, and answers what came of it (with the token, or loopback)",
                methods: [.post],
                deadline: Self.reloadDeadline,
                handler: .async { request, _ in try await page.answer(request) }
            )
        ]
    }

    private var consulPages: [Page] {
        ConsulAPI(registry: registry, access: AdminAccess(token: settings.adminToken)).endpoints.map { endpoint in
            Page(
                path: endpoint.path,
                summary: endpoint.summary,
                methods: [endpoint.method],
                deadline: endpoint.deadline ?? Settings().deadline,
                bodyLimit: .bytes(ConsulAPI.bodyBytesMax),
                handler: endpoint.handler
            )
        }
    }

    /// A reload reads one file; another one may run before it.
    private static let reloadDeadline: Duration = .seconds(60)

    private static let drainGrace: Duration = .seconds(10)

    private static func index(of pages: [Page]) -> String {
        let width = pages.map(\.path.count).max() ?? 0
        let lines = pages.map { page in
            page.path + String(repeating: " ", count: width - page.path.count) + "  \(page.summary)\n"
        }
        return "weir \(WeirVersion.text)\n\n" + lines.joined()
    }

    private static func startupz(_ health: EngineHealth) -> Response {
        health.stage.hasStarted ? .text("started\n") : .text("not started\n", status: .serviceUnavailable)
    }

    private static func livez(_ health: EngineHealth) -> Response {
        let stuck = health.stuckLoops
        guard !stuck.isEmpty else { return .text("alive\n") }
        let lines = stuck.map { "loop \($0.index) has not turned for \($0.seconds) s\n" }
        return .text(lines.joined(), status: .serviceUnavailable)
    }
}
