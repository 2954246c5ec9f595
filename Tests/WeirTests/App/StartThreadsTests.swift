// SPDX-License-Identifier: Apache-2.0
// Which threads a start makes, and whether they fit.

import Testing
import Weir
import WeirHost

@Suite struct StartThreadsTests {
    private static func settings(_ change: (inout Settings) -> Void = { _ in }) -> Settings {
        var settings = Settings()
        settings.loops = .exactly(1)
        settings.workersMin = 0
        settings.adminListen = []
        change(&settings)
        return settings
    }

    /// What each engine has in any case: a loop, `weir-flow`, `weir-control`, the log's, a look-up.
    private static let least = 5

    private static let further: [(String, Int, @Sendable (inout Settings) -> Void)] = [
        ("loops", 2, { $0.loops = .exactly(3) }),
        ("workers", 5, { $0.workersMin = 5 }),
        ("no more workers than the most", 3, { ($0.workersMin, $0.workersMax) = (5, .exactly(3)) }),
        ("the access log", 1, { $0.accessLog = .standardOutput }),
        ("the admin port", 1, { $0.adminListen = [.tcp(host: nil, port: 9901)] }),
        ("reloads", 1, { $0.configurationFile = "/weir.yaml" }),
        ("TLS", 1, { $0.listen = [.tcp(host: nil, port: 8080), .tls(host: nil, port: 8443)] }),
        ("TLS of the admin port", 2, { $0.adminListen = [.tls(host: nil, port: 9901)] }),
        (
            "a store for each of two loops", 1 + 2,
            {
                $0.loops = .exactly(2)
                ($0.rateLimiting.scope, $0.rateLimiting.redis) = (.cluster, "redis://redis:6379")
            }
        ),
    ]

    @Test(arguments: further)
    func `each thread counts that the settings ask for`(
        what: String,
        count: Int,
        change: @Sendable (inout Settings) -> Void
    ) {
        let runtime = StartThreads.runtimeCount
        #expect(StartThreads.count([Self.settings()], cpus: 1) == Self.least + runtime)
        let settings = Self.settings(change)
        #expect(StartThreads.count([settings], cpus: 1) == Self.least + runtime + count, "\(what)")
        // Each engine by its own settings, Swift's threads once, and who watches the process watches one.
        #expect(
            StartThreads.count([settings, Self.settings()], cpus: 1, isSupervised: true)
                == 2 * Self.least + runtime + count + 1
        )
    }

    @Test(arguments: [(1, 4), (2, 3), (5, 0), (50, 0)])
    func `Swift's own count where they are not there yet`(present: Int, count: Int) {
        #expect(StartThreads.count([Self.settings()], cpus: 1, present: present) == Self.least + count)
    }

    @Test func `what starts beside the engines counts, too`() {
        let others: [StartThreads.Kind] = [("weir-adapter", 1), ("name look-ups", 2)]
        let alone = StartThreads.count([Self.settings()], cpus: 1)
        #expect(StartThreads.count([Self.settings()], others: others, cpus: 1) == alone + 3)
    }

    @Test func `the loops follow the CPUs`() {
        let settings = Self.settings { $0.loops = .automatic }
        let counts = (1...3).map { StartThreads.count([settings], cpus: $0) }
        #expect(counts == [counts[0], counts[0] + 1, counts[0] + 2])
    }

    @Test func `a start that does not fit says what, where and what would be right, and ends with 69`() {
        let room = TaskRoom(file: "/sys/fs/cgroup/pids/pod/pids.max", current: 3, max: 8)
        let error = #expect(throws: AppError.self) { try StartThreads.check(6, in: room) }
        #expect(
            error?.description
                == "/sys/fs/cgroup/pids/pod/pids.max is 8 with 3 in use: a start makes 6 threads; let it be at least 9"
        )
        #expect(error?.exit == .unavailable)
    }

    @Test(arguments: [nil, TaskRoom(file: "", current: 3, max: 8), TaskRoom(file: "", current: 0, max: 5)])
    func `one that fits goes on`(room: TaskRoom?) throws {
        try StartThreads.check(5, in: room)
    }
}
