// SPDX-License-Identifier: Apache-2.0
// What the registry keeps, and when it changes by itself.

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

private let second: Nanoseconds = 1_000_000_000

/// A registry with the words that these tests need.
private func makeRegistry(_ change: (inout RegistryLimits) -> Void = { _ in }) -> HealthRegistry {
    var limits = RegistryLimits()
    change(&limits)
    return HealthRegistry(
        node: HealthNode(id: "n", name: "node", address: "10.0.0.9"),
        startIndex: 100,
        limits: limits
    )
}

private func ttl(_ id: String, _ seconds: Int = 10, status: CheckStatus = .critical, deregister: Int = 0) -> HealthCheck
{
    HealthCheck(
        id: id,
        name: id,
        status: status,
        definition: CheckDefinition(
            .ttl(.seconds(seconds)),
            deregisterCriticalServiceAfter: .seconds(deregister)
        )
    )
}

@Suite("A registry of services")
struct HealthRegistryTests {
    @Test("lists what is registered, in the order of ids")
    func listing() throws {
        let registry = makeRegistry()
        try registry.register(HealthService(id: "web-2", name: "web", port: 2), now: 0)
        try registry.register(HealthService(id: "web-1", name: "web", port: 1), checks: [ttl("c")], now: 0)
        try registry.register(HealthService(id: "db", name: "db"), now: 0)
        #expect(registry.services().value.map(\.service.id) == ["db", "web-1", "web-2"])
        let health = registry.health(of: "web").value
        #expect(health.map(\.entry.service.port) == [1, 2])
        #expect(health.map { $0.checks.map(\.id) } == [["c"], []])
        #expect(registry.health(of: "none").value.isEmpty)
        try registry.deregisterService("web-1")
        #expect(registry.check("c") == nil)
        #expect(throws: HealthRegistryError.unknownService(id: "web-1")) { try registry.deregisterService("web-1") }
        #expect(throws: HealthRegistryError.unknownCheck(id: "c")) { try registry.deregisterCheck("c") }
    }

    @Test("moves an index only with what the query reads")
    func indexes() throws {
        let registry = makeRegistry()
        let scopes: [RegistryScope] = [.service("a"), .service("b"), .services, .checks, .node]
        func indexes() -> [UInt64] { scopes.map { registry.index(of: $0) } }
        #expect(indexes() == [100, 100, 100, 100, 100])
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        #expect(indexes() == [101, 100, 101, 100, 100])
        // The same again is no change.
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        #expect(indexes() == [101, 100, 101, 100, 100])
        try registry.register(HealthService(id: "b", name: "b"), checks: [ttl("cb")], now: 0)
        #expect(indexes() == [101, 103, 102, 103, 100])
        try registry.report(.passing, "", of: "cb", now: 0)
        #expect(indexes() == [101, 104, 102, 104, 100])
        // An output alone ends nobody's wait.
        try registry.report(.passing, "fine", of: "cb", now: 0)
        #expect(indexes() == [101, 104, 102, 104, 100])
        #expect(registry.check("cb")?.output == "fine")
        // The node's checks are everybody's.
        try registry.register(ttl("node", status: .passing), now: 0)
        #expect(indexes() == [105, 105, 102, 105, 100])
        // A service that is gone has the index of the last one that went.
        try registry.deregisterService("a")
        #expect(indexes() == [106, 105, 106, 105, 100])
        #expect(registry.index(of: .service("never there")) == 106)
    }

    @Test("keeps a check's status when it is registered again, and other checks of the service")
    func registeringAgain() throws {
        let registry = makeRegistry()
        let service = HealthService(id: "a", name: "a")
        try registry.register(service, checks: [ttl("one"), ttl("two")], now: 0)
        try registry.report(.passing, "up", of: "one", now: 0)
        let index = registry.index(of: .service("a"))
        try registry.register(service, checks: [ttl("one")], now: 0)
        #expect(registry.index(of: .service("a")) == index)
        #expect(registry.check("one")?.status == .passing)
        #expect(registry.check("one")?.output == "up")
        #expect(registry.check("two") != nil)
        try registry.register(service, checks: [ttl("one")], replacesChecks: true, now: 0)
        #expect(registry.check("two") == nil)
        #expect(registry.index(of: .service("a")) > index)
    }

    @Test("changes a service in place, its name too")
    func changing() throws {
        let registry = makeRegistry()
        try registry.register(HealthService(id: "a", name: "old"), checks: [ttl("c")], now: 0)
        try registry.register(HealthService(id: "a", name: "new", tags: ["t"]), now: 0)
        #expect(registry.health(of: "old").value.isEmpty)
        #expect(registry.health(of: "new").value.map { $0.checks.map(\.id) } == [["c"]])
        let entry = try #require(registry.service("a"))
        #expect(entry.createIndex < entry.modifyIndex)
        #expect(registry.index(of: .service("old")) == entry.modifyIndex)
    }

    @Test("makes a TTL check critical when it is not heard of, and says what was heard last")
    func expiry() throws {
        let registry = makeRegistry()
        try registry.register(HealthService(id: "a", name: "a"), checks: [ttl("c", status: .passing)], now: 0)
        #expect(registry.nextDue == 10 * second)
        registry.advance(to: 10 * second - 1)
        #expect(registry.check("c")?.status == .passing)
        registry.advance(to: 10 * second)
        #expect(registry.check("c")?.status == .critical)
        #expect(registry.check("c")?.output == "TTL expired")
        #expect(registry.nextDue == nil)
        try registry.report(.warning, "slow", of: "c", now: 11 * second)
        #expect(registry.check("c")?.status == .warning)
        registry.advance(to: 20 * second)
        #expect(registry.check("c")?.status == .warning)
        registry.advance(to: 21 * second)
        #expect(registry.check("c")?.output == "TTL expired (last output before timeout follows): slow")
        // Registered again it keeps its state, and its time begins anew.
        try registry.register(HealthService(id: "a", name: "a"), checks: [ttl("c")], now: 30 * second)
        #expect(registry.nextDue == 40 * second)
    }

    @Test("deregisters a service that was critical for too long, at least a minute")
    func deregistering() throws {
        let registry = makeRegistry()
        try registry.register(
            HealthService(id: "a", name: "a"),
            checks: [ttl("c", 10, status: .passing, deregister: 1), ttl("other", 1000)],
            now: 0
        )
        registry.advance(to: 10 * second)
        registry.advance(to: 69 * second)
        #expect(registry.service("a") != nil)
        #expect(registry.nextDue == 70 * second)
        // Well in between: its time begins anew.
        try registry.report(.passing, "", of: "c", now: 69 * second)
        try registry.report(.critical, "", of: "c", now: 69 * second)
        registry.advance(to: 128 * second)
        #expect(registry.service("a") != nil)
        registry.advance(to: 129 * second)
        #expect(registry.service("a") == nil)
        #expect(registry.checks().value.isEmpty)
    }

    @Test("does not count the time before a check's first result as critical")
    func criticalFromTheStart() throws {
        let registry = makeRegistry { $0.deregisterAfterMin = .seconds(1) }
        try registry.register(
            HealthService(id: "a", name: "a"),
            checks: [ttl("c", 100, deregister: 1)],
            now: 0
        )
        registry.advance(to: 99 * second)
        #expect(registry.service("a") != nil)
        registry.advance(to: 100 * second)
        registry.advance(to: 101 * second)
        #expect(registry.service("a") == nil)
    }

    @Test("takes results of the present registration of a check only")
    func results() throws {
        let registry = makeRegistry()
        let url = try CheckURL(parsing: "http://127.0.0.1:1/")
        let check = HealthCheck(
            id: "c",
            name: "c",
            definition: CheckDefinition(.http(HTTPCheck(url)), interval: .seconds(1))
        )
        try registry.register(check, now: 0)
        let first = try #require(registry.check("c")?.run)
        registry.note(.passing, "200", of: "c", run: first, now: 0)
        #expect(registry.check("c")?.status == .passing)
        try registry.register(check, now: 0)
        registry.note(.critical, "500", of: "c", run: first, now: 0)
        #expect(registry.check("c")?.status == .passing)
        #expect(throws: HealthRegistryError.noTTL(checkID: "c")) {
            try registry.report(.passing, "", of: "c", now: 0)
        }
        #expect(throws: HealthRegistryError.unknownCheck(id: "d")) {
            try registry.report(.passing, "", of: "d", now: 0)
        }
    }

    @Test("takes services out of use for maintenance")
    func maintenance() throws {
        let registry = makeRegistry()
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        try registry.register(HealthService(id: "b", name: "b"), now: 0)
        try registry.setMaintenance(true, ofService: "a", reason: "disk")
        #expect(registry.health(of: "a").value.first?.status == .critical)
        #expect(registry.check("_service_maintenance:a")?.notes == "disk")
        #expect(registry.health(of: "b").value.first?.status == .passing)
        let index = registry.index(of: .service("a"))
        try registry.setMaintenance(true, ofService: "a", reason: "again")
        #expect(registry.index(of: .service("a")) == index)
        registry.setMaintenance(true, reason: "")
        #expect(registry.health(of: "b").value.first?.status == .critical)
        try registry.setMaintenance(false, ofService: "a", reason: "")
        registry.setMaintenance(false, reason: "")
        #expect(registry.health(of: "a").value.first?.status == .passing)
        #expect(throws: HealthRegistryError.unknownService(id: "z")) {
            try registry.setMaintenance(true, ofService: "z", reason: "")
        }
    }

    @Test("holds no more than it may, and changes nothing when it is full")
    func bounds() throws {
        let registry = makeRegistry {
            $0.servicesMax = 2
            $0.checksMax = 2
            $0.bytesMax = 100
        }
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        #expect(throws: HealthRegistryError.full(what: "bytes", max: 100)) {
            let long = String(repeating: "x", count: 100)
            try registry.register(HealthService(id: "b", name: "b", meta: ["m": long]), now: 0)
        }
        #expect(throws: HealthRegistryError.full(what: "checks", max: 2)) {
            try registry.register(
                HealthService(id: "b", name: "b"),
                checks: [ttl("1"), ttl("2"), ttl("3")],
                now: 0
            )
        }
        #expect(registry.services().value.count == 1)
        #expect(registry.checks().value.isEmpty)
        try registry.register(HealthService(id: "b", name: "b"), checks: [ttl("1"), ttl("2")], now: 0)
        #expect(throws: HealthRegistryError.full(what: "services", max: 2)) {
            try registry.register(HealthService(id: "c", name: "c"), now: 0)
        }
        // What went has given its bytes back, a hundred times over.
        for _ in 0..<100 {
            try registry.deregisterService("b")
            try registry.register(HealthService(id: "b", name: "b"), checks: [ttl("1"), ttl("2")], now: 0)
        }
    }
}

@Suite("A query that waits")
struct RegistryWaitingTests {
    /// Counts calls from any thread.
    private final class Calls: Sendable {
        private let count = Atomic<Int>(0)
        func note() { count.wrappingAdd(1, ordering: .sequentiallyConsistent) }
        var value: Int { count.load(ordering: .sequentiallyConsistent) }
    }

    @Test("is woken once by the change that it waits for, and by no other")
    func waking() throws {
        let registry = makeRegistry()
        let calls = Calls()
        let index = registry.index(of: .service("a"))
        #expect(try registry.wait(for: .service("a"), after: index) { calls.note() } != nil)
        try registry.register(HealthService(id: "b", name: "b"), now: 0)
        #expect(calls.value == 0)
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        #expect(calls.value == 1)
        try registry.deregisterService("a")
        #expect(calls.value == 1)
        #expect(registry.waiterCount == 0)
    }

    @Test("does not wait for what has changed already")
    func late() throws {
        let registry = makeRegistry()
        let index = registry.index(of: .services)
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        #expect(try registry.wait(for: .services, after: index) {} == nil)
        #expect(registry.waiterCount == 0)
    }

    @Test("may give up")
    func givingUp() throws {
        let registry = makeRegistry()
        let calls = Calls()
        let id = try #require(try registry.wait(for: .services, after: 100) { calls.note() })
        registry.stopWaiting(id)
        try registry.register(HealthService(id: "a", name: "a"), now: 0)
        #expect(calls.value == 0)
    }

    @Test("is refused where too many wait")
    func tooMany() throws {
        let registry = makeRegistry { $0.waitersMax = 1 }
        _ = try registry.wait(for: .services, after: 100) {}
        #expect(throws: HealthRegistryError.full(what: "queries that wait", max: 1)) {
            _ = try registry.wait(for: .services, after: 100) {}
        }
    }

    @Test("misses no change that another thread makes meanwhile")
    func threads() throws {
        let registry = makeRegistry()
        let rounds = 500
        var index = registry.index(of: .service("a"))
        let last = index + UInt64(rounds)
        let changer = try SystemThread.start {
            for round in 0..<rounds {
                try? registry.register(HealthService(id: "a", name: "a", port: round), now: 0)
            }
        }
        // Each wait is answered by a later index, until all changes were seen.
        while index < last {
            let calls = Calls()
            if try registry.wait(for: .service("a"), after: index, { calls.note() }) != nil {
                eventually("the change comes") { calls.value > 0 }
            }
            let next = registry.index(of: .service("a"))
            try #require(next > index)
            index = next
        }
        changer.join()
        #expect(registry.waiterCount == 0)
    }

    @Test("observers hear of changes, and not of outputs")
    func observers() throws {
        let registry = makeRegistry()
        let calls = Calls()
        let id = registry.observe { calls.note() }
        try registry.register(HealthService(id: "a", name: "a"), checks: [ttl("c")], now: 0)
        #expect(calls.value == 1)
        try registry.report(.passing, "x", of: "c", now: 0)
        #expect(calls.value == 2)
        try registry.report(.passing, "y", of: "c", now: 0)
        #expect(calls.value == 2)
        // It runs anew: whoever runs checks has to know.
        try registry.register(ttl("c"), now: 0)
        #expect(calls.value == 3)
        registry.stopObserving(id)
        try registry.deregisterService("a")
        #expect(calls.value == 3)
    }

    @Test(
        "waits as long as was asked for and a sixteenth more at most, within Consul's bounds",
        arguments: [(0, 300), (5, 5), (600, 600), (3600, 600), (UInt64.max / second, 600)]
            as [(Nanoseconds, Nanoseconds)]
    )
    func time(_ requested: Nanoseconds, _ expected: Nanoseconds) {
        var random = SystemRandomNumberGenerator()
        for _ in 0..<100 {
            let time = BlockingWait.nanoseconds(requested * second, using: &random)
            #expect(time >= expected * second)
            #expect(time <= expected * second + expected * second / 16)
            #expect(time <= BlockingWait.longest)
        }
    }
}
