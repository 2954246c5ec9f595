// SPDX-License-Identifier: Apache-2.0

import Glibc
import Synchronization
import Testing
import WeirSystemd

@Suite struct WatchdogTests {
    @Test func `signs of life are given only while the service is healthy`() async {
        await #expect(processExitsWith: .success) {
            let manager = try FakeManager()
            let isHealthy = Flag(true)
            let watchdog = Watchdog(interval: .seconds(30), notifier: try #require(ServiceNotifier())) {
                isHealthy.value
            }
            #expect(watchdog.period == .seconds(15))
            #expect(watchdog.beat())
            isHealthy.set(false)
            #expect(!watchdog.beat())
            #expect(manager.rest == ["WATCHDOG=1"])
            isHealthy.set(true)
            #expect(watchdog.beat())
            #expect(manager.rest == ["WATCHDOG=1"])
        }
    }

    @Test func `the interval is WATCHDOG_USEC, if it is for this process`() async {
        await #expect(processExitsWith: .success) {
            try #expect(Watchdog.requestedInterval() == nil)
            setenv("WATCHDOG_USEC", "30000000", 1)
            try #expect(Watchdog.requestedInterval() == .seconds(30))
            setenv("WATCHDOG_PID", "\(getpid())", 1)
            try #expect(Watchdog.requestedInterval() == .seconds(30))
            setenv("WATCHDOG_PID", "1", 1)
            try #expect(Watchdog.requestedInterval() == nil)
        }
    }

    @Test func `a WATCHDOG_USEC that is no number is told`() async {
        await #expect(processExitsWith: .success) {
            setenv("WATCHDOG_USEC", "soon", 1)
            let error = #expect(throws: SystemdError.self) { try Watchdog.requestedInterval() }
            #expect(error?.description == "WATCHDOG_USEC and WATCHDOG_PID cannot be used: Invalid argument")
        }
    }

    @Test func `a heartbeat beats until it is stopped, and not after`() throws {
        let beats = Count()
        let heartbeat = try Heartbeat(every: .milliseconds(1)) { beats.add() }
        beats.wait(for: 3)
        heartbeat.stop()
    }
}

/// A boolean that threads share.
private final class Flag: Sendable {
    private let state: Atomic<Bool>
    init(_ value: Bool) { state = Atomic(value) }
    var value: Bool { state.load(ordering: .relaxed) }
    func set(_ value: Bool) { state.store(value, ordering: .relaxed) }
}

/// A number that a test waits for.
private final class Count: Sendable {
    private let count = Atomic<Int>(0)
    func add() { count.add(1, ordering: .relaxed) }
    func wait(for target: Int) { while count.load(ordering: .relaxed) < target { sched_yield() } }
}
