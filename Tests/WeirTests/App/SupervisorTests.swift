// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import ServiceLifecycle
import Synchronization
import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite struct SupervisorTests {
    private static let ask = "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"

    /// An app under a supervisor, as a `ServiceGroup` runs it.
    private struct SupervisedApp: Service {
        let app: App
        let supervisor: Supervisor

        func run() async throws { try await app.runAsService(under: supervisor) }
    }

    /// What a supervisor was told.
    private final class Stages: Sendable {
        private let told = Mutex<[String]>([])
        private let view = Mutex<EngineView?>(nil)

        var all: [String] { told.withLock { $0 } }
        var engine: EngineView? { view.withLock { $0 } }

        func add(_ stage: LifecycleStage) {
            switch stage {
            case .starting: told.withLock { $0.append("starting") }
            case .serving(let engine):
                view.withLock { $0 = engine }
                told.withLock { $0.append("serving") }
            case .reloading: told.withLock { $0.append("reloading") }
            case .reloaded: told.withLock { $0.append("reloaded") }
            case .draining(let connections, let timeout):
                told.withLock { $0.append("draining \(connections) within \(timeout)") }
            case .stopped:
                told.withLock { $0.append("stopped") }
            }
        }
    }

    private static func app(logger: Logger? = nil, _ change: (inout Settings) -> Void = { _ in }) -> App {
        var settings = Settings()
        settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
        settings.adminListen = []
        settings.loops = .exactly(3)
        settings.drainDelay = .zero
        settings.drainTimeout = .seconds(9)
        change(&settings)
        let app = App(settings: settings, logger: logger)
        app.get("/", on: .loop) { _, _ in .text("x") }
        return app
    }

    /// Runs an app until `body` is done with it.
    private static func run(
        _ app: App,
        _ supervisor: Supervisor,
        _ stages: Stages,
        _ body: (EngineView) async throws -> Void
    ) async throws {
        var supervisor = supervisor
        supervisor.stageChanged = { stages.add($0) }
        let group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [SupervisedApp(app: app, supervisor: supervisor)],
                logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        let task = Task { try await group.run() }
        try #require(await eventuallyTrue { stages.engine != nil })
        try await body(try #require(stages.engine))
        await group.triggerGracefulShutdown()
        try await task.value
    }

    @Test func `the stages of a life are told in their order`() async throws {
        let stages = Stages()
        let logger = Logger(label: "none") { _ in SwiftLogNoOpLogHandler() }
        try await Self.run(Self.app(logger: logger), Supervisor(), stages) { engine in
            #expect(engine.isServing)
            #expect(engine.isHealthy)
            #expect(engine.listen.count == 1)
            #expect(engine.connectionCount == 0)
            let client = try RawClient(engine.listen[0])
            #expect(await eventuallyTrue { engine.connectionCount == 1 })
            client.close()
            #expect(await eventuallyTrue { engine.connectionCount == 0 })
        }
        #expect(stages.all == ["starting", "serving", "draining 0 within 9.0 seconds", "stopped"])
        #expect(stages.engine?.isServing == false)
    }

    @Test func `inherited sockets take the place of the settings' addresses, on every loop`() async throws {
        let folder = try ScratchFolder()
        let unix = SocketAddress.unix(path: "\(folder.path)/s")
        let options = ListenerOptions()
        let (tcp, address) = try Listener.bind(.ipv4(0x7F00_0001, port: 0), options: options, reusesPort: false)
        let (path, _) = try Listener.bind(unix, options: options, reusesPort: false)
        let (admin, adminAddress) = try Listener.bind(.ipv4(0x7F00_0001, port: 0), options: options, reusesPort: false)
        // The supervisor keeps its own descriptor of each socket, as systemd does.
        let kept = try Listener.duplicate(tcp, of: address)
        defer { close(kept) }
        let supervisor = Supervisor(listeners: InheritedListeners(traffic: [tcp, path], admin: [admin]))
        let logger = Logger(label: "none") { _ in SwiftLogNoOpLogHandler() }
        // The settings' own address would stop the start.
        let app = Self.app(logger: logger) { $0.listen = [.unix(path: "\(folder.path)/missing/s", mode: nil)] }
        try await Self.run(app, supervisor, Stages()) { engine in
            #expect(engine.listen == [address.description, unix.description])
            for target in [address.description, unix.description] {
                for _ in 0..<20 {
                    let client = try RawClient(target)
                    client.send(Self.ask)
                    #expect(try await WireResponse.all(in: client.receiveToEnd()).map(\.text) == ["x"])
                }
            }
            let client = try RawClient(adminAddress.description)
            client.send("GET /readyz HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            #expect(try await WireResponse.all(in: client.receiveToEnd()).map(\.text) == ["ready\n"])
        }
        #expect(access("\(folder.path)/s", F_OK) == 0, "whoever bound the socket removes its file")
        // The engine's descriptors are closed, the supervisor's still takes connections for the next process.
        #expect(throws: RawClient.Refused.self) { _ = try RawClient(unix.description) }
        #expect(throws: RawClient.Refused.self) { _ = try RawClient(adminAddress.description) }
        _ = try RawClient(address.description)
    }

    @Test func `a descriptor that is no listening socket stops the start and is named`() async throws {
        var pipes: [Int32] = [-1, -1]
        try #require(pipe(&pipes) == 0)
        defer { for descriptor in pipes { close(descriptor) } }
        let supervisor = Supervisor(listeners: InheritedListeners(traffic: [pipes[0]]))
        let logger = Logger(label: "none") { _ in SwiftLogNoOpLogHandler() }
        let error = try await #require(throws: AppError.self) {
            try await Self.app(logger: logger).runAsService(under: supervisor)
        }
        #expect(error.description.contains("descriptor \(pipes[0])"))
    }

    @Test func `a supervisor takes the log as events, to the last`() async throws {
        let taken = SharedEvents()
        var supervisor = Supervisor()
        supervisor.log = .events { taken.add($0) }
        try await Self.run(Self.app(), supervisor, Stages()) { _ in }
        #expect(taken.all == ["info serving", "info draining", "info drained"])
    }

    /// Events that a log's thread delivered.
    private final class SharedEvents: Sendable {
        private let taken = Mutex<[String]>([])

        var all: [String] { taken.withLock { $0 } }

        func add(_ line: LogLine) -> Bool {
            taken.withLock { $0.append("\(line.level) \(line.message)") }
            return true
        }
    }
}
