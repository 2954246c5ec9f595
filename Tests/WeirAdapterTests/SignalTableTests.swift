// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirAdapter
import WeirEventLoop

@Suite struct SignalTableTests {
    private static let now = 100 * PodSample.second

    private func table(_ pods: [WatchedPod], _ answers: [String: String] = [:]) -> SignalTable {
        var table = SignalTable(SignalTiming(window: 10 * PodSample.second, ageMax: 15 * PodSample.second))
        table.follow(pods, now: 0)
        for pod in pods {
            guard let text = answers[pod.name] else { continue }
            table.add(.at(99, text), of: pod.key, uid: pod.uid)
        }
        return table
    }

    private func pod(_ name: String, isReady: Bool = true, namespace: String = "shop", app: String = "orders")
        -> WatchedPod
    {
        WatchedPod(namespace: namespace, name: name, uid: "u-\(name)", labels: ["app": app], isReady: isReady)
    }

    private func names(_ table: SignalTable, _ selector: String, name: String? = nil) throws -> [String] {
        let selector = try #require(LabelSelector(parsing: selector))
        return try table.values(of: .utilization, in: "shop", name: name, selector, now: Self.now).map(\.name)
    }

    @Test func `pods are found by namespace, name and labels, and those that are silent are left out`() throws {
        let text = QueueReading.text()
        let pods = [
            pod("b"), pod("a", isReady: false), pod("silent"), pod("web", app: "web"), pod("b", namespace: "other"),
        ]
        let table = table(pods, ["a": text, "b": text, "web": text])
        #expect(try names(table, "") == ["a", "b", "web"])
        #expect(try names(table, "app=orders") == ["a", "b"])
        #expect(try names(table, "", name: "b") == ["b"])
        #expect(throws: SignalTable.Absence.nobody) { try names(table, "app=none") }
        #expect(throws: SignalTable.Absence.nobody) { try names(table, "", name: "none") }
        #expect(throws: SignalTable.Absence.allMissing(count: 1)) { try names(table, "", name: "silent") }
    }

    @Test(
        arguments: [
            // (0.5 × 10 + 1 × 30) ÷ 40
            (.utilization, 0.875), (.offeredLoad, 35), (.queued, 5), (.queuedPeak, 4), (.oldest, 2),
            (.concurrencyLimit, 40),
        ] as [(PodSignal, Double)]
    )
    func `one value of several is the sum, the largest, or the mean by limit`(signal: PodSignal, value: Double) throws {
        let table = table(
            [pod("a"), pod("b"), pod("starting", isReady: false)],
            [
                "a": QueueReading.text(utilization: 0.5, queued: 1, limit: 10, oldest: 2),
                "b": QueueReading.text(utilization: 1, queued: 4, limit: 30, oldest: 1),
                "starting": QueueReading.text(utilization: 9, queued: 9, limit: 9, oldest: 9),
            ]
        )
        #expect(try table.combined(signal, in: "shop", .all, now: Self.now).value == value)
    }

    @Test func `one that is silent counts in a sum as the others do`() throws {
        let table = table(
            [pod("a"), pod("b"), pod("silent")],
            ["a": QueueReading.text(utilization: 1, queued: 2), "b": QueueReading.text(utilization: 0.5, queued: 4)]
        )
        #expect(try table.combined(.queued, in: "shop", .all, now: Self.now).value == 9)
        #expect(try table.combined(.utilization, in: "shop", .all, now: Self.now).value == 0.75)
        #expect(try table.combined(.queuedPeak, in: "shop", .all, now: Self.now).value == 4)
    }

    @Test func `where all are silent, or nobody is ready, there is no value`() {
        #expect(throws: SignalTable.Absence.allMissing(count: 2)) {
            try table([pod("a"), pod("b")]).combined(.queued, in: "shop", .all, now: Self.now)
        }
        #expect(throws: SignalTable.Absence.nobody) {
            let alone = table([pod("a", isReady: false)], ["a": QueueReading.text()])
            return try alone.combined(.queued, in: "shop", .all, now: Self.now)
        }
    }

    @Test func `a service is its pods`() throws {
        var table = table(
            [pod("a"), pod("web", app: "web")],
            ["a": QueueReading.text(queued: 2), "web": QueueReading.text(queued: 7)]
        )
        table.follow([
            WatchedService(namespace: "shop", name: "orders", selector: LabelSelector(equal: ["app": "orders"])),
            WatchedService(namespace: "shop", name: "by-hand", selector: nil),
        ])
        #expect(try table.value(of: .queued, ofService: "orders", in: "shop", now: Self.now).value == 2)
        for name in ["by-hand", "none"] {
            #expect(throws: SignalTable.Absence.nobody) {
                try table.value(of: .queued, ofService: name, in: "shop", now: Self.now)
            }
        }
    }

    @Test func `another pod of the same name has not answered yet`() throws {
        var table = table([pod("a")], ["a": QueueReading.text()])
        var other = pod("a")
        other.uid = "another"
        table.follow([other], now: Self.now)
        #expect(throws: SignalTable.Absence.allMissing(count: 1)) { try names(table, "") }
        // What the former one has said comes too late.
        table.add(.at(100), of: "shop/a", uid: "u-a")
        #expect(throws: SignalTable.Absence.allMissing(count: 1)) { try names(table, "") }
    }

    @Test func `a pod is missing when it is ready and silent, but not before it could have answered`() {
        var table = table([pod("a"), pod("silent"), pod("starting", isReady: false)], ["a": QueueReading.text()])
        #expect(table.missing(now: Self.now).map(\.name) == ["silent"])
        table.follow([pod("a"), pod("new")], now: Self.now)
        #expect(table.missing(now: Self.now).isEmpty)
        #expect(table.missing(now: Self.now + 15 * PodSample.second).map(\.name) == ["a", "new"])
        #expect(table.readyCount == 2)
    }
}
