// SPDX-License-Identifier: Apache-2.0
// An app that listens, as a service of a group, on addresses that the kernel or the test chose.

import Logging
import ServiceLifecycle
import Testing
import Weir

/// A running app; end it with `stop`.
struct RunningApp {
    let group: ServiceGroup
    let log: CapturedLog
    private let task: Task<Void, any Error>

    /// An app in a pod with CPUs of a test's choice.
    private struct InPod: Service {
        let app: App
        let supervisor: Supervisor
        let cpus: PodCPUs?

        func run() async throws { try await app.runAsService(under: supervisor, cpus: cpus) }
    }

    /// Starts the app, and waits until it serves.
    ///
    /// - Parameter cpus: those of the pod that it is to follow; nil for this one's.
    init(_ app: App, log: CapturedLog, cpus: PodCPUs? = nil) async throws {
        self.init(starting: app, log: log, cpus: cpus)
        try #require(await eventuallyTrue { log.entry("serving") != nil })
    }

    /// Starts the app, and waits for nothing.
    init(starting app: App, log: CapturedLog, cpus: PodCPUs? = nil, under supervisor: Supervisor = Supervisor()) {
        let service = InPod(app: app, supervisor: supervisor, cpus: cpus)
        group = ServiceGroup(
            configuration: ServiceGroupConfiguration(
                services: [service],
                logger: Logger(label: "group") { _ in SwiftLogNoOpLogHandler() }
            )
        )
        self.log = log
        task = Task { [group] in try await group.run() }
    }

    /// What the app said that it listens on.
    var addresses: [String] {
        (log.entry("serving")?.metadata["listen"] ?? "").split(separator: ",").map(String.init)
    }

    /// Shuts the group down and waits for its end.
    func stop() async throws {
        await group.triggerGracefulShutdown()
        try await task.value
    }
}

/// Waits for a condition, never for a time; the bound only ends a test that has failed.
func eventuallyTrue(_ condition: () -> Bool) async -> Bool {
    for _ in 0..<15_000 {
        if condition() { return true }
        try? await Task.sleep(for: .milliseconds(1))
    }
    return condition()
}
