// SPDX-License-Identifier: Apache-2.0

import Glibc
import Logging
import Testing
import Weir
import WeirSystemd

@Suite struct SystemdIntegrationTests {
    private static func app() throws -> App {
        var settings = Settings()
        settings.listen = [.tcp(host: "127.0.0.1", port: 0)]
        settings.adminListen = []
        settings.loops = .exactly(1)
        settings.drainDelay = .zero
        settings.drainTimeout = .seconds(7)
        settings.logLevel = .critical
        let app = App(settings: settings)
        app.get("/", on: .loop) { _, _ in .text("x") }
        return app
    }

    @Test func `an app under systemd tells READY, signs of life, STOPPING, and nothing after the end`() async {
        await #expect(processExitsWith: .success) {
            let manager = try FakeManager()
            setenv("WATCHDOG_USEC", "20000", 1)
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            let app = try Self.app()
            let systemd = try SystemdIntegration()
            let running = Task { try await app.run(under: systemd.supervisor) }

            let first = try manager.next()
            #expect(first.hasPrefix("READY=1\nSTATUS=Serving on 127.0.0.1:"), "\(first)")
            #expect(first.hasSuffix(", 0 connections"), "\(first)")
            try #expect(manager.next() == "WATCHDOG=1")
            try #expect(manager.next() == "WATCHDOG=1")
            kill(getpid(), SIGTERM)
            try #expect(manager.nextState() == "STOPPING=1\nSTATUS=Draining 0 connections")
            try #expect(manager.nextState() == "EXTEND_TIMEOUT_USEC=12000000")
            try await running.value
            #expect(manager.rest.allSatisfy { $0 == "WATCHDOG=1" })
            #expect(systemd.notifier?.watchdog() == false)
        }
    }

    @Test func `a reload is told when it begins and when it is over, whatever came of it`() async {
        await #expect(processExitsWith: .success) {
            let manager = try FakeManager()
            let app = App(GatewayConfiguration.withoutFile(try Self.app().settings))
            app.reload(
                from: ConfigurationSource(file: "/nowhere/weir.yaml", version: nil) { () throws(SettingsError) in
                    throw .refused(name: "WEIR_CONFIG", value: "x", reason: "wrong")
                }
            )
            let systemd = try SystemdIntegration()
            let running = Task { try await app.run(under: systemd.supervisor) }
            try #expect(manager.next().hasPrefix("READY=1\n"))
            kill(getpid(), SIGHUP)
            try #expect(manager.next().hasPrefix("RELOADING=1\nMONOTONIC_USEC="))
            try #expect(manager.next().hasPrefix("READY=1\nSTATUS=Serving on "))
            kill(getpid(), SIGTERM)
            try #expect(manager.nextState().hasPrefix("STOPPING=1\n"))
            try await running.value
        }
    }

    @Test func `the status follows what happens, without a watchdog too`() async {
        await #expect(processExitsWith: .success) {
            let manager = try FakeManager()
            let app = try Self.app()
            let systemd = try SystemdIntegration(statusPeriod: .milliseconds(1))
            let running = Task { try await app.run(under: systemd.supervisor) }
            let first = try manager.next()
            let port = try #require(first.split(separator: ":").last.flatMap { UInt16($0.prefix { $0 != "," }) })
            let client = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var address = sockaddr_in()
            address.sin_family = sa_family_t(AF_INET)
            address.sin_port = port.bigEndian
            address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            let connected = withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    connect(client, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            try #require(connected == 0)
            try #expect(manager.next() == "STATUS=Serving on 127.0.0.1:\(port), 1 connection")
            close(client)
            try #expect(manager.next() == "STATUS=Serving on 127.0.0.1:\(port), 0 connections")
            kill(getpid(), SIGTERM)
            try #expect(manager.nextState().hasPrefix("STOPPING=1\n"))
            try await running.value
        }
    }

    @Test func `outside systemd nothing is given and nobody is told`() async {
        await #expect(processExitsWith: .success) {
            let systemd = try SystemdIntegration()
            #expect(systemd.notifier == nil)
            let supervisor = systemd.supervisor
            #expect(supervisor.listeners == InheritedListeners())
            guard case .descriptor(STDERR_FILENO) = supervisor.log else {
                Issue.record("the log goes elsewhere")
                return
            }
        }
    }
}
