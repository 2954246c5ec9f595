// SPDX-License-Identifier: Apache-2.0
// What an app becomes when it starts: the data server, the admin server, the workers, the log.

import CWeirSystem
import Glibc
import Logging
import ServiceLifecycle
import Synchronization
import WeirEventLoop
import WeirFlow
import WeirHost
import WeirMetrics
import WeirUpstream

/// A started app. Everything it made ends with `run`.
final class AppEngine: Service {
    let settings: Settings
    let server: HTTPServer
    let admin: HTTPServer?
    let workers: WorkerPool
    let logger: Logger
    let health: EngineHealth
    let drain: Drain
    let reload: ConfigurationReload
    /// Nil for an app that nothing is read anew for.
    let reloader: Reloader?
    private let control: ControlLoop
    private let stageChanged: @Sendable (LifecycleStage) -> Void
    private let log: LogOutput?
    private let accessLog: AccessLog?
    private let monitor: FlowMonitor
    /// Nil for a server without certificates.
    private let tlsWatch: TLSWatch?
    /// The services that were registered with this instance.
    let registry: HealthRegistry
    /// What runs their checks, on the admin port's loop, where they are registered; nil without one.
    private let registryChecks: RegistryChecks?

    /// Below it memory counts for more than what it costs to give it back.
    private static let smallMemoryBytes = 1 << 30
    private static let returnedBytesLeast: Int32 = 64 << 10

    /// Makes everything and binds the addresses; nothing is served before `start`.
    ///
    /// - Parameters:
    ///   - listens: false binds nothing, for an engine that is given its connections.
    ///   - memoryUsage: what the pod uses of its memory.
    ///   - cpus: what its threads and limits follow, now and while it runs; nil for those of the pod it is in.
    init(
        _ app: App,
        settings: Settings? = nil,
        listens: Bool = true,
        supervisor: Supervisor = Supervisor(),
        memoryUsage: @escaping @Sendable () -> MemoryUsage = MemoryBudget().usage,
        cpus podCPUs: PodCPUs? = nil
    ) throws(AppError) {
        let settings = settings ?? app.settings
        let hold = app.hold()
        let podCPUs = podCPUs ?? .ofThisPod(settings)
        let cpus = max(1, podCPUs.read().threads)
        do throws(SettingsError) {
            try settings.validate()
            try settings.checkConcurrency(cpus: cpus)
            try settings.checkStore(hold.store)
            try settings.checkNames(hold.nameResolution)
        } catch {
            throw .settings(error)
        }
        let tls: TLSServer?
        do throws(SettingsError) { tls = try TLSServer(settings) } catch { throw .settings(error) }
        try StartThreads.checkFirst([settings], cpus: cpus)
        self.settings = settings
        stageChanged = supervisor.stageChanged
        MainQueue.open()
        let descriptors = DescriptorLimit.raiseSoftLimitToHard().soft
        let memoryBytes = memoryUsage().budget.bytes
        let sizes = PodSizes(
            settings,
            cpus: cpus,
            memoryBytes: memoryBytes,
            descriptors: descriptors,
            // A reload may bring the first.
            hasUpstreams: hold.source != nil || hold.routes(app.configuration).hasUpstreams
        )
        // What is counted for a body is what has come of it. The allocator would give it room that another has written to,
        // and keep that when it is freed: so the process would hold several times what it counts.
        if (memoryBytes ?? .max) < Self.smallMemoryBytes { weir_return_memory_from(Self.returnedBytesLeast) }
        let threshold: LogThreshold?
        if let logger = app.logger {
            self.logger = logger
            log = nil
            threshold = nil
        } else {
            let log = try Self.open(supervisor.log, settings)
            let level = LogThreshold(settings.logLevel)
            self.log = log
            threshold = level
            logger = Logger(label: "weir") { label in
                WeirLogHandler(label: label, threshold: level, output: log)
            }
        }
        let loopsMax = sizes.engine.loopsMax(settings, cpusMax: podCPUs.most)
        let accessLog = try AccessLog.open(settings, loops: sizes.loops, ringBytes: sizes.accessLogBytes)
        self.accessLog = accessLog
        workers = WorkerPool(
            workersMin: min(settings.workersMin, sizes.workersMax),
            workersMax: sizes.workersMax,
            queueMax: settings.workersQueueMax,
            idle: settings.workersIdle.nanosecondsClamped
        )
        let flow = FlowControl(
            settings,
            cpus: cpus,
            memoryBytes: memoryBytes,
            loopsMax: loopsMax,
            baseline: Baseline.start(settings, logger)
        )
        let (live, snapshot) = try LiveConfiguration.start(hold, app.configuration, settings, flow)
        control = try Self.control(settings, hold.nameResolution, live.tlsClients, flow, logger)
        control.follow(live.present.followed)
        health = EngineHealth(stuckNanoseconds: settings.loopStuck.nanosecondsClamped)
        do throws(SystemCallError) {
            server = try HTTPServer(
                HTTPServer.Plan(
                    name: "weir-loop",
                    loopCount: sizes.loops,
                    loopsMax: loopsMax,
                    listen: listens ? settings.listen : [],
                    inherited: supervisor.listeners.traffic,
                    connectionsMax: sizes.connectionsMax,
                    descriptorsHigh: max(16, descriptors * settings.descriptorsHighPercent / 100),
                    descriptorsMax: PodSizes.descriptorsForConnections(descriptors),
                    buffers: sizes.buffers,
                    settings: settings,
                    pinsLoops: settings.pinsLoops,
                    backgroundMax: sizes.engine.backgroundMax,
                    accessLog: accessLog,
                    flow: flow,
                    openStore: Self.openStore(hold, settings, flow, logger, loops: sizes.loops),
                    tls: tls
                ),
                snapshot: snapshot,
                workers: workers,
                logger: logger
            )
        } catch {
            throw AppError(error)
        }
        let republish: @Sendable () -> Void = { [server] in live.publishAnew(on: server) }
        monitor = FlowMonitor(
            flow,
            server,
            memoryUsage: memoryUsage,
            republish: republish,
            resize: EngineResize(podCPUs, settings, flow, server, workers, logger, republish: republish)
        )
        tlsWatch = tls.map { [logger] in TLSWatch($0, settings.tls, logger) }
        drain = Drain(
            server: server,
            health: health,
            logger: logger,
            delay: settings.drainDelay,
            timeout: settings.drainTimeout
        )
        registry = HealthRegistry(node: .ofThisHost(), startIndex: HealthRegistry.startIndexNow)
        let reload = ConfigurationReload(
            live,
            server: server,
            control: control,
            threshold: threshold,
            logger: logger
        )
        self.reload = reload
        reloader = try Self.reloader(
            hold.source,
            reload,
            EngineView(server: server, health: health, logger: logger),
            stageChanged
        )
        let adminRoutes = AdminRoutes(
            settings: settings,
            reload: reload,
            reloader: reloader,
            server: server,
            health: health,
            drain: drain,
            workers: workers,
            log: log,
            accessLog: accessLog,
            registry: registry,
            samples: { hold.samples }
        )
        let adminSnapshot = try adminRoutes.compile()
        do throws(SystemCallError) {
            admin =
                listens && !(settings.adminListen.isEmpty && supervisor.listeners.admin.isEmpty)
                ? try HTTPServer(
                    HTTPServer.Plan(
                        name: "weir-admin",
                        loopCount: 1,
                        listen: settings.adminListen,
                        inherited: supervisor.listeners.admin,
                        connectionsMax: Self.adminConnectionsMax,
                        descriptorsHigh: .max,
                        descriptorsMax: .max,
                        settings: Self.adminSettings(settings),
                        pinsLoops: false,
                        backgroundMax: sizes.engine.backgroundMax,
                        tls: tls,
                        isAdmin: true
                    ),
                    snapshot: adminSnapshot,
                    workers: workers,
                    logger: logger
                ) : nil
        } catch {
            throw AppError(error)
        }
        registryChecks = admin?.loops.first.map { [registry] loop in
            // As endpoints' names are: one that nobody answers for holds no other up.
            let names = hold.nameResolution?.open(settings.upstream.dnsServers, loop)
            return RegistryChecks(registry, on: loop, names: names)
        }
    }

    private static func openStore(
        _ hold: App.Hold,
        _ settings: Settings,
        _ flow: FlowControl,
        _ logger: Logger,
        loops: Int
    ) -> (@Sendable (EventLoop) -> LoopStore)? {
        // A reload may bring the first limit.
        guard let store = hold.store, settings.rateLimiting.usesStore,
            hold.source != nil || !flow.storeLimits.isEmpty
        else { return nil }
        let log = StoreLog(logger, loops: loops)
        return { loop in
            let plan = StorePlan(
                place: settings.rateLimiting.redis,
                limits: flow.storeLimits,
                budget: settings.rateLimiting.redisBudget.nanosecondsClamped,
                answered: ServerLoop.answered,
                report: { [index = loop.index] report in log.note(report, loop: index) }
            )
            return store.open(plan, loop)
        }
    }

    private static func control(
        _ settings: Settings,
        _ resolution: NameResolution?,
        _ tlsClients: UpstreamTLSClients,
        _ flow: FlowControl,
        _ logger: Logger
    ) throws(AppError) -> ControlLoop {
        var options = ControlOptions()
        options.tlsClients = tlsClients
        options.consulToken = settings.upstream.consulToken
        options.cluster = ClusterAccess(settings.upstream)
        options.replicasCounted = { flow.observeReplicas($0, now: LoopClock.monotonic.now) }
        do throws(SystemCallError) {
            guard let open = resolution?.open else { return try ControlLoop(logger: logger, options: options) }
            return try ControlLoop(logger: logger, options: options) { [servers = settings.upstream.dnsServers] loop in
                open(servers, loop)
            }
        } catch {
            throw AppError(error)
        }
    }

    private static func reloader(
        _ source: ConfigurationSource?,
        _ reload: ConfigurationReload,
        _ engine: EngineView,
        _ stageChanged: @escaping @Sendable (LifecycleStage) -> Void
    ) throws(AppError) -> Reloader? {
        guard let source else { return nil }
        do throws(SystemCallError) {
            return try Reloader(watching: source.file, version: source.version) {
                stageChanged(.reloading)
                defer { stageChanged(.reloaded(engine)) }
                return reload.run(source.load)
            }
        } catch {
            throw AppError(error)
        }
    }

    private static func open(_ sink: LogSink, _ settings: Settings) throws(AppError) -> LogOutput {
        switch sink {
        case .descriptor(let descriptor):
            return .lines(LogWriter(descriptor: descriptor), settings.logFormat)
        case .events(let deliver):
            do throws(SystemCallError) {
                return .events(try RecordWriter(deliver: deliver))
            } catch {
                throw AppError(error)
            }
        }
    }

    /// Each query that waits for a change holds one; the registry's bound of those leaves room for probes.
    private static let adminConnectionsMax = 256

    private static func adminSettings(_ settings: Settings) -> Settings {
        var admin = settings
        admin.limits = Settings.Limits()
        admin.timeouts = Settings.Timeouts()
        admin.tls.redirectPort = 0
        admin.tls.strictTransport = ""
        // Who may drain is decided by the peer that is really there.
        admin.trustedProxies = []
        // Probes come from the node, and from no proxy.
        admin.takesProxyProtocol = false
        return admin
    }

    // MARK: Life

    /// Starts the threads.
    func start() throws(AppError) {
        do throws(SystemCallError) {
            // First: who asks meanwhile learns that it starts, and is not kept waiting.
            try admin?.start()
            stageChanged(.starting(admin: adminAddresses))
            try accessLog?.start()
            try control.start()
            try server.start()
            try monitor.start()
            try tlsWatch?.start()
            registryChecks?.start()
            try reloader?.start()
        } catch {
            // What has started must not run on without its owner.
            stop()
            throw AppError(error)
        }
        health.begin(server)
        reload.live.present.warnOfIdleLimits(logger)
        logger.info(
            "serving",
            metadata: [
                "listen": .string(server.boundAddresses.map(\.description).joined(separator: ",")),
                "admin": .string(adminAddresses.joined(separator: ",")),
                "loops": .stringConvertible(server.loops.count),
            ]
        )
        stageChanged(.serving(EngineView(server: server, health: health, logger: logger)))
    }

    private var adminAddresses: [String] { (admin?.boundAddresses ?? []).map(\.description) }

    /// Serves until the group shuts down, then drains, or waits for the rest of a drain that has begun. Cancelled, it
    /// ends without waiting.
    func run() async throws {
        try start()
        try? await gracefulShutdown()
        let ending = drain.begin()
        stageChanged(.draining(connections: server.connectionCount, timeout: settings.drainTimeout))
        await withTaskCancellationHandler {
            await ending.value
        } onCancel: {
            ending.cancel()
        }
        await answerDrainCallers()
        stop()
    }

    /// Lets those who asked for the drain have their answer before the admin port ends.
    private func answerDrainCallers() async {
        guard let admin, drain.callerCount > 0 else { return }
        let end = ContinuousClock.now.advanced(by: Self.answerGrace)
        admin.beginDrain()
        admin.closeListenersAndIdle()
        while admin.connectionCount > 0, ContinuousClock.now < end, !Task.isCancelled {
            try? await Task.sleep(for: .milliseconds(5))
        }
    }

    /// Ends everything at once.
    func stop() {
        reloader?.stop()
        server.shared.background.stop()
        _ = workers.stop(deadline: LoopClock.monotonic.now &+ Self.workersGrace)
        control.stop()
        monitor.end()
        tlsWatch?.end()
        server.stop()
        registryChecks?.stop()
        admin?.stop()
        stageChanged(.stopped)
        accessLog?.close(timeout: .seconds(1))
        log?.close(timeout: .seconds(1))
    }

    /// How long the answers to `/drain` hold the end of the process up.
    private static let answerGrace: Duration = .seconds(1)

    /// How long a blocked worker holds the end of the process up.
    private static let workersGrace: Nanoseconds = 1_000_000_000
}
