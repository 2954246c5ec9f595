// SPDX-License-Identifier: Apache-2.0
// Counters and gauges of a shard, alone and with a reader beside the writer.

import Synchronization
import Testing
import WeirMetrics

@Suite struct MetricsShardTests {
    @Test func `values start at 0 and keep apart`() {
        let shard = MetricsShard()
        for (index, counter) in CounterID.allCases.enumerated() { shard.add(counter, UInt64(index)) }
        for (index, gauge) in GaugeID.allCases.enumerated() { shard.set(gauge, -index) }
        for (index, counter) in CounterID.allCases.enumerated() { #expect(shard.value(counter) == UInt64(index)) }
        for (index, gauge) in GaugeID.allCases.enumerated() { #expect(shard.value(gauge) == -index) }
    }

    @Test func `a gauge goes up and down`() {
        let shard = MetricsShard()
        shard.increment(.connectionsOpen)
        shard.increment(.connectionsOpen)
        shard.decrement(.connectionsOpen)
        shard.add(.bufferBytes, 100)
        shard.add(.bufferBytes, -40)
        #expect(shard.value(.connectionsOpen) == 1)
        #expect(shard.value(.bufferBytes) == 60)
    }

    @Test func `the shard has room for every counter and gauge`() {
        // The shard's arrays have fixed sizes; an index beyond them would trap in the loop.
        #expect(CounterID.allCases.count <= 64)
        #expect(GaugeID.allCases.count <= 16)
    }

    @Test func `two threads' shards are summed without loss`() async {
        let shards = [MetricsShard(), MetricsShard()]
        let rounds = 100_000
        await withTaskGroup(of: Void.self) { group in
            for shard in shards {
                group.addTask {
                    for _ in 0..<rounds { shard.increment(.requests) }
                }
            }
        }
        #expect(shards.map { $0.value(.requests) } == [UInt64(rounds), UInt64(rounds)])
        var text = PrometheusText()
        text.write(shards: shards, labels: RequestLabels(methods: [], name: { _ in nil }))
        #expect(String(decoding: text.bytes, as: UTF8.self).contains("\nweir_requests_total \(2 * rounds)\n"))
    }

    @Test(.timeLimit(.minutes(1))) func `a reader beside the writer never sees a counter go back`() async {
        let shard = MetricsShard(cellsMax: 64)
        let end = End()
        await withTaskGroup(of: Void.self) { group in
            group.addTask {
                for round in 0..<20_000 {
                    shard.add(.sentBytes, 3)
                    shard.durations.record(route: Int32(round % 100), method: 0, status: 200, nanoseconds: 5)
                }
                // Pairs with the acquire below.
                end.isReached.store(true, ordering: .releasing)
            }
            group.addTask {
                var sent: UInt64 = 0
                var recorded = 0
                while !end.isReached.load(ordering: .acquiring) {
                    let sentNow = shard.value(.sentBytes)
                    let recordedNow = Exposition(shards: [shard]).requestCount
                    if sentNow < sent || recordedNow < recorded { Issue.record("a counter went back") }
                    sent = sentNow
                    recorded = recordedNow
                }
            }
        }
        #expect(shard.value(.sentBytes) == 60_000)
        #expect(Exposition(shards: [shard]).requestCount == 20_000)
    }
}

/// Says that the writer is done.
private final class End: Sendable {
    let isReached = Atomic(false)
}
