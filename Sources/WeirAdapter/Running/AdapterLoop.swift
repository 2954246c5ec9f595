// SPDX-License-Identifier: Apache-2.0
// The adapter's thread: it watches pods and services, asks the pods, and keeps up with the cluster. What it finds out is
// in the state.

import FoundationEssentials
import Glibc
package import Logging
import Synchronization
package import Weir
import WeirEventLoop
import WeirMetrics
import WeirUpstream

/// Everything of the adapter that is no answer to a request.
package final class AdapterLoop: Sendable {
    /// Has the listener read its files; answers what is at fault.
    package typealias Reload = @Sendable () -> [String]

    /// What it starts beside the engine: its own, and one that looks the API server's name up.
    package static let threads: [StartThreads.Kind] = [("weir-adapter", 1), ("name look-ups", 1)]

    private static let stopGrace: Nanoseconds = 1_000_000_000

    private let loop: EventLoop
    private let work: AdapterWork
    private let thread = Mutex<SystemThread?>(nil)

    /// - Throws: `AppError` where this process is in no cluster, or the kernel gives no descriptor.
    package init(
        _ settings: AdapterSettings,
        _ files: AdapterFiles,
        _ state: AdapterState,
        _ logger: Logger,
        reloadTLS: @escaping Reload
    ) throws(AppError) {
        let api = try Self.api(settings)
        let podTLS = try PodTLS(settings)
        do throws(SystemCallError) {
            loop = try EventLoop(index: 0, name: "weir-adapter", metrics: MetricsShard())
        } catch {
            throw .system("the adapter's loop cannot be made: \(error)")
        }
        work = AdapterWork(on: loop, api, podTLS, settings, files, state, logger, reloadTLS: reloadTLS)
    }

    /// Checks before anything is listened on what ``init(_:_:_:_:reloadTLS:)`` needs.
    package static func check(_ settings: AdapterSettings) throws(AppError) {
        _ = try api(settings)
        _ = try PodTLS(settings)
    }

    private static func api(_ settings: AdapterSettings) throws(AppError) -> KubernetesAPI {
        guard let api = ClusterAccess(settings.engine.upstream).api else {
            let reason = KubernetesProblem.noServer.description
            throw .settings(.refused(name: "WEIR_KUBERNETES_API", value: "", reason: reason))
        }
        return api
    }

    package func start() throws(AppError) {
        loop.submit { [work] _ in work.start() }
        do throws(SystemCallError) {
            var started: SystemThread? = try SystemThread.start { [loop] in loop.run() }
            thread.withLock { $0 = started.take() }
        } catch {
            throw .system("the adapter's thread cannot be started: \(error)")
        }
    }

    /// Lets go of everything and ends the thread.
    package func stop() {
        guard let thread = thread.withLock({ $0.take() }) else { return }
        loop.submit { [work] _ in work.stop() }
        loop.stop()
        if loop.awaitEnd(by: LoopClock.monotonic.now &+ Self.stopGrace) { thread.join() }
    }
}

/// What runs on the loop. `@unchecked Sendable`: confined to its thread.
private final class AdapterWork: @unchecked Sendable {
    private let loop: EventLoop
    private let state: AdapterState
    private let report: ClusterReport
    private let names: SystemNames
    private let scraper: PodScraper
    private let keeper: ClusterKeeper
    private var podWatches: [KubernetesWatch<CoreQuery<WatchedPod>>] = []
    private var serviceWatches: [KubernetesWatch<CoreQuery<WatchedService>>] = []
    /// By the place of their watch.
    private var pods: [Int: [WatchedPod]] = [:]
    private var services: [Int: [WatchedService]] = [:]

    init(
        on loop: EventLoop,
        _ api: KubernetesAPI,
        _ podTLS: PodTLS,
        _ settings: AdapterSettings,
        _ files: AdapterFiles,
        _ state: AdapterState,
        _ logger: Logger,
        reloadTLS: @escaping AdapterLoop.Reload
    ) {
        self.loop = loop
        self.state = state
        let report = ClusterReport(state, logger)
        self.report = report
        let names = SystemNames(on: loop)
        self.names = names
        scraper = PodScraper(on: loop, state, settings, podTLS, logger, wallSecond: { Int64(time(nil)) })
        let tls = ClusterTLS(api)
        let secure: KubernetesWatch<CoreQuery<WatchedPod>>.Securing = { () throws(KubernetesProblem) in
            try tls.target()
        }
        keeper = ClusterKeeper(
            on: loop,
            ClusterClient(api, on: loop, lookup: names.lookup, secure: secure),
            settings,
            namespace: settings.namespace.isEmpty ? ServiceAccount.namespace(api.account) : settings.namespace,
            files,
            reloadTLS: reloadTLS,
            state,
            report,
            logger
        )
        let places = settings.namespaces.isEmpty ? [nil] : settings.namespaces.map(Optional.some)
        for (index, namespace) in places.enumerated() {
            let place = namespace ?? ""
            podWatches.append(
                KubernetesWatch(
                    CoreQuery(
                        pods: settings.selector,
                        in: namespace,
                        countMax: settings.podsMax,
                        from: api.url
                    ),
                    from: api,
                    on: loop,
                    lookup: names.lookup,
                    secure: secure,
                    listener: .init(
                        found: { [unowned self] in found($0, index, place) },
                        failed: { report.failed(.pods, place, $0.description) }
                    )
                )
            )
            serviceWatches.append(
                KubernetesWatch(
                    CoreQuery(servicesIn: namespace, from: api.url),
                    from: api,
                    on: loop,
                    lookup: names.lookup,
                    secure: secure,
                    listener: .init(
                        found: { [unowned self] in found($0, index, place) },
                        failed: { report.failed(.services, place, $0.description) }
                    )
                )
            )
        }
    }

    func start() {
        keeper.start()
        for watch in podWatches { watch.start() }
        for watch in serviceWatches { watch.start() }
        scraper.start()
    }

    func stop() {
        keeper.stop()
        for watch in podWatches { watch.stop() }
        for watch in serviceWatches { watch.stop() }
        scraper.stop()
        names.stop()
    }

    private func found(_ table: ObjectTable<WatchedPod>, _ index: Int, _ place: String) {
        report.worked(.pods, place)
        pods[index] = table.objects.values.filter { !$0.isEnding }
        let all = pods.values.flatMap { $0 }
        let now = loop.now
        state.changeTable { $0.follow(all, now: now) }
        if pods.count == podWatches.count { state.notePods() }
        scraper.follow(all)
    }

    private func found(_ table: ObjectTable<WatchedService>, _ index: Int, _ place: String) {
        report.worked(.services, place)
        services[index] = Array(table.objects.values)
        let all = services.values.flatMap { $0 }
        state.changeTable { $0.follow(all) }
    }
}

/// What the kubelet mounts beside the token.
private enum ServiceAccount {
    /// The pod's own namespace; `default` where nobody says.
    static func namespace(_ folder: String) -> String {
        guard let text = try? String(contentsOfFile: "\(folder)/namespace", encoding: .utf8) else { return "default" }
        let name = text.filter { !$0.isWhitespace }
        return name.isEmpty ? "default" : name
    }
}
