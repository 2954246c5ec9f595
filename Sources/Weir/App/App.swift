// SPDX-License-Identifier: Apache-2.0
// What people make and run: routes, middleware, settings. Everything that runs is made by `AppEngine` at the start.

import Glibc
public import Logging
import Synchronization

/// An HTTP service: declare its routes, then run it.
///
/// ```swift
/// let app = App()
/// app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }
/// try await app.run()
/// ```
///
/// Two apps can run in one process; nothing is shared between them. Routes are declared before `run`.
public final class App: Sendable, RouteCollection {
    /// The settings that the app was made with.
    public let settings: Settings
    let logger: Logger?
    private let declarations = Mutex(Declarations())

    private struct Declarations {
        var routes: [DeclaredRoute] = []
        var middleware: [any Middleware] = []
    }

    /// A route with its full pattern and what its groups said.
    struct DeclaredRoute: Sendable {
        let method: Method
        let pattern: String
        let handler: Handler
        let properties: RouteProperties
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
    }

    public func add(_ route: RouteDeclaration) {
        add(route, prefix: "", properties: RouteProperties())
    }

    func add(_ route: RouteDeclaration, prefix: String, properties: RouteProperties) {
        let declared = DeclaredRoute(
            method: route.method,
            pattern: prefix + route.pattern,
            handler: route.handler,
            properties: properties.adding(route.options)
        )
        declarations.withLock { $0.routes.append(declared) }
    }

    /// Wraps every route of the app, whenever it was declared. The first middleware is the outermost.
    public func use(_ middleware: any Middleware) {
        declarations.withLock { $0.middleware.append(middleware) }
    }

    /// Declares routes under a common prefix with common options.
    public func group(_ prefix: String, _ options: RouteOption..., declare: (RouteGroup) -> Void) {
        let properties = RouteProperties().adding(options)
        declare(RouteGroup(app: self, prefix: prefix, box: RouteGroup.PropertiesBox(properties)))
    }

    /// What was declared, with the app's middleware around each route.
    var routes: [DeclaredRoute] {
        declarations.withLock { declarations in
            declarations.routes.map { route in
                var properties = route.properties
                properties.middleware = declarations.middleware + properties.middleware
                return DeclaredRoute(
                    method: route.method,
                    pattern: route.pattern,
                    handler: route.handler,
                    properties: properties
                )
            }
        }
    }
}

/// How a process ends, by the numbers of sysexits.h.
enum ProcessExit: Int32 {
    /// EX_UNAVAILABLE: an address cannot be bound, or something needed is not there.
    case unavailable = 69
    /// EX_CONFIG.
    case wrongConfiguration = 78

    /// Writes one line and ends the process.
    func end(_ line: String) -> Never {
        let bytes = [UInt8]((line + "\n").utf8)
        _ = bytes.withUnsafeBytes { write(STDERR_FILENO, $0.baseAddress, $0.count) }
        exit(rawValue)
    }
}
