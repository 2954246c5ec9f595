// SPDX-License-Identifier: Apache-2.0
// What people make and run: routes, middleware, settings. Everything that runs is made by `AppEngine` at the start.

import Glibc
public import Logging
import Synchronization
import WeirHost
package import WeirMetrics
import WeirUpstream

/// An HTTP service: declare its routes, then run it.
///
/// ```swift
/// let app = App()
/// app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }
/// try await app.run()
/// ```
///
/// Two apps can run in one process; nothing is shared between them. Routes and middleware are declared before `run`;
/// declaring one while the app runs ends the process with a line that names it.
public final class App: Sendable, RouteCollection {
    /// The settings that the app was made with.
    public let settings: Settings
    let logger: Logger?
    /// What a file declares beside the code: upstreams, pools and routes. Nil for nothing.
    let configuration: GatewayConfiguration?
    private let declarations = Mutex(Declarations())

    struct Declarations {
        var routes = DeclaredRoutes()
        var middleware: [any Middleware] = []
        /// Where the limits of the cluster are counted; nil for nowhere but here.
        var store: LimitStore?
        /// Who looks the names of endpoints up; nil for the system's resolver.
        var nameResolution: NameResolution?
        /// Where the configuration is read anew; nil for nowhere.
        var source: ConfigurationSource?
        /// What the app itself measures, for /metrics.
        var samples: [@Sendable () -> [MetricSample]] = []
        /// How many engines run with what was declared.
        var engineCount = 0
    }

    /// An app with the settings of the process's environment (`WEIR_*`).
    ///
    /// A wrong variable is written to standard error as one line, and the process exits with 78 (`EX_CONFIG`). Where a
    /// process is not the app's alone, use ``init(settings:logger:)``.
    public convenience init() {
        do throws(SettingsError) {
            self.init(settings: try Settings.fromEnvironment())
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }

    /// An app with these settings, and with a logger of the caller's instead of lines on standard error.
    public init(settings: Settings, logger: Logger? = nil) {
        self.settings = settings
        self.logger = logger
        configuration = nil
    }

    /// An app that begins with what a configuration says: its settings, and its upstreams and routes behind those that
    /// code declares.
    package init(_ configuration: GatewayConfiguration, logger: Logger? = nil) {
        settings = configuration.settings
        self.logger = logger
        self.configuration = configuration
    }

    public func add(_ route: RouteDeclaration) {
        add(route, prefix: "", properties: RouteProperties())
    }

    func add(_ route: RouteDeclaration, prefix: String, properties: RouteProperties) {
        let declared = DeclaredRoute(
            methods: route.method?.set ?? DeclaredRoute.anyMethod,
            pattern: prefix + route.pattern,
            handler: route.handler,
            properties: properties.adding(route.options),
            location: route.location
        )
        declare("route \(declared.name)") { $0.routes.add(declared) }
    }

    /// Declares an upstream that handlers ask: ``RequestContext/client(_:)``. One that a route passes requests on to is
    /// there without it.
    ///
    /// Endpoints are in the form of `WEIR_UPSTREAM`; one that is none stops the start. Readiness does not wait for them:
    /// two services that ask each other would never be ready.
    public func upstream(_ name: String, endpoints: String...) {
        var reference = UpstreamReference(name: name, endpoints: endpoints)
        reference.isForwardedTo = false
        declare("upstream \(name)") { $0.routes.add(reference) }
    }

    /// Wraps every route of the app, whenever it was declared. The first middleware is the outermost.
    public func use(_ middleware: any Middleware) {
        declare("middleware \(type(of: middleware))") { $0.middleware.append(middleware) }
    }

    /// Adds what `samples` says to /metrics; called on the admin thread, for each scrape.
    package func measure(_ samples: @escaping @Sendable () -> [MetricSample]) {
        declare("a measurement") { $0.samples.append(samples) }
    }

    /// Declares routes under a common prefix with common options.
    public func group(_ prefix: String, _ options: RouteOption..., declare: (RouteGroup) -> Void) {
        let properties = RouteProperties().adding(options)
        declare(RouteGroup(app: self, prefix: prefix, box: RouteGroup.PropertiesBox(properties)))
    }

    /// Checks what ``run()`` checks before it binds an address: the settings, and the routes declared so far.
    ///
    /// So a test can find a mistake without starting the service.
    /// - Throws: `AppError.settings`, or `AppError.routes` with the first route that cannot be served.
    public func validate() throws(AppError) {
        let declared = declarations.withLock { $0 }
        do throws(SettingsError) {
            try settings.validate()
            try settings.checkConcurrency(cpus: CPUBudget.read(settings.cpuPolicy).count)
            try settings.checkStore(declared.store)
            try settings.checkNames(declared.nameResolution)
            _ = try TLSServer(settings)
        } catch {
            throw .settings(error)
        }
        let routes = declared.routes.adding(configuration)
        try routes.check(settings)
        // What names no upstream is found here, and what TLS with endpoints cannot be set up with.
        _ = try UpstreamTLSClients().equip(routes.upstreamPlans(settings))
    }

    /// Changes what is declared. While an engine runs, it would have no effect: a mistake that ends the process, here
    /// and in release builds, rather than a route that is silently not there.
    func declare(_ what: String, _ change: (inout Declarations) -> Void) {
        let isLate = declarations.withLock { declarations in
            if declarations.engineCount == 0 { change(&declarations) }
            return declarations.engineCount > 0
        }
        if isLate { fatalError("\(what) is declared while the app runs; declare it before") }
    }

    /// What was declared, for an engine; it stays so while the engine runs.
    func hold() -> Hold {
        let declared = declarations.withLock { declarations in
            declarations.engineCount += 1
            return declarations
        }
        return Hold(app: self, declared)
    }

    /// Keeps an app's declarations as they are while it lives.
    final class Hold: Sendable {
        private let app: App
        private let declared: Declarations

        fileprivate init(app: App, _ declared: Declarations) {
            self.app = app
            self.declared = declared
        }

        var store: LimitStore? { declared.store }
        var nameResolution: NameResolution? { declared.nameResolution }

        var source: ConfigurationSource? { declared.source }

        /// What the app measures, as it is now.
        var samples: [MetricSample] { declared.samples.flatMap { $0() } }

        /// What code declares, and this configuration behind it. Each call makes its limits and pools anew; an engine
        /// keeps what it runs.
        func routes(_ configuration: GatewayConfiguration?) -> DeclaredRoutes {
            declared.routes.adding(configuration)
        }

        /// Routes of this app as loops run them, with the upstreams of their plans.
        func snapshot(
            of routes: DeclaredRoutes,
            _ settings: Settings,
            version: UInt64 = 1,
            upstreams: [UpstreamDraft],
            names: IndexedNames = IndexedNames(countMax: Snapshot.namesMax),
            flow: FlowDraft? = nil
        ) throws(AppError) -> Snapshot {
            try routes.snapshot(
                settings,
                middleware: declared.middleware,
                version: version,
                upstreams: upstreams,
                names: names,
                flow: flow
            )
        }

        deinit {
            app.declarations.withLock { $0.engineCount -= 1 }
        }
    }
}

/// How a process ends, by the numbers of sysexits.h.
package enum ProcessExit: Int32 {
    /// EX_USAGE: the command line.
    case wrongUsage = 64
    /// EX_UNAVAILABLE: an address cannot be bound, or something needed is not there.
    case unavailable = 69
    /// EX_SOFTWARE: a fault of ours.
    case internalFault = 70
    /// EX_TEMPFAIL: what was asked for goes on, and has not ended in time.
    case timedOut = 75
    /// EX_CONFIG.
    case wrongConfiguration = 78

    /// Writes one line, whatever names of files have in them, and ends the process.
    package func end(_ line: String) -> Never {
        let bytes = [UInt8]((line.escapedForLine(quotes: false) + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(rawValue)
    }
}
