// SPDX-License-Identifier: Apache-2.0
// Balancing: what choosing one of few endpoints costs, and one of as many as a table holds; and what noting an answer
// does.

import WeirUpstream

enum BalancingBenchmark {
    static var all: [Benchmark] {
        [1, 3, 10, 100, 1000, BalancerTable.entriesMax].flatMap { count in
            BalancingPolicy.allCases.map { pick($0, of: count) }
        } + [pick(.leastLatency, of: 3, tried: [0]), note, split]
    }

    /// The clock moves 10 µs per operation: one that stands still would hide what decay costs.
    private static func now(_ operation: Int) -> UInt64 { 1_000_000_000 &+ UInt64(operation) &* 10000 }

    private static func entries(_ count: Int) -> [BalancerTable.Entry] {
        (0..<count).map { index in
            let endpoint = Endpoint(EndpointURL(place: .name("endpoint-\(index)", port: 8080)))
            endpoint.load.note(1_000_000 + UInt64(index & 7) * 10000, at: 1_000_000_000)
            endpoint.load.begin()
            return BalancerTable.Entry(endpoint, EffectiveWeight(1 + index % 5))
        }
    }

    private static func pick(_ policy: BalancingPolicy, of count: Int, tried indices: [Int] = []) -> Benchmark {
        let name = "balancing-\(policy.rawValue)-\(count)\(indices.isEmpty ? "" : "-retry")"
        return Benchmark(name: name, threads: [1, 2], operations: 10_000_000) {
            let table = BalancerTable(policy, entries(count))
            var tried = TriedEndpoints()
            for index in indices { tried.insert(index) }
            return { [tried] thread, operations in
                var random = WyRand(seed: UInt64(thread))
                var sum = 0
                for operation in 0..<operations {
                    // Averages are up to 2.6 s old, as those of endpoints with little traffic are, and never stale.
                    let now = now(operation & 0x3_FFFF)
                    sum &+= table.pick(excluding: tried, key: UInt64(operation), at: now, random: &random) ?? -1
                }
                precondition(sum >= 0)
            }
        }
    }

    private static var note: Benchmark {
        Benchmark(name: "balancing-note", threads: [1, 2], operations: 5_000_000) {
            let endpoint = Endpoint(EndpointURL(place: .name("endpoint", port: 8080)))
            return { _, operations in
                for operation in 0..<operations {
                    endpoint.load.begin()
                    endpoint.load.note(1_000_000, at: now(operation))
                    endpoint.load.end()
                }
            }
        }
    }

    private static var split: Benchmark {
        Benchmark(name: "balancing-split-3", threads: [1], operations: 10_000_000) {
            let split = WeightedSplit([90, 9, 1])
            return { thread, operations in
                var random = WyRand(seed: UInt64(thread))
                var sum = 0
                for _ in 0..<operations { sum &+= split.destination(random: &random) }
                precondition(sum > 0)
            }
        }
    }
}
