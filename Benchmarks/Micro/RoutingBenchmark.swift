// SPDX-License-Identifier: Apache-2.0
// Routing: what a lookup costs among few routes and among many.

import WeirRouting

enum RoutingBenchmark {
    static var all: [Benchmark] { [10, 100, 1000, 10000, 100_000].map(lookup) }

    /// As a service has them: `/v1/thing-7/:id/parts`, and paths that go through the whole table. Where that is large,
    /// so many of them that their routes are not in the nearest cache.
    private static func lookup(among count: Int) -> Benchmark {
        Benchmark(name: "routing-\(count)", threads: [1, 2], operations: 2_000_000) {
            let table = table(of: count)
            let pathCount = count > 1000 ? 1 << 16 : 64
            let paths = (0..<pathCount).map { Array("/v1/thing-\($0 &* 7919 % count)/\($0 &* 104_729)/parts".utf8) }
            return { thread, operations in
                var match = RouteMatch()
                var scratch: [UInt8] = []
                var memory = scratch.mutableSpan
                let host: [UInt8] = []
                var found = 0
                for operation in 0..<operations {
                    let path = paths[(operation &+ thread) & (pathCount - 1)]
                    let outcome = table.lookup(
                        method: 0,
                        host: host.span,
                        path: path.span,
                        match: &match,
                        scratch: &memory
                    )
                    if case .found = outcome { found += 1 }
                }
                precondition(found == operations, "a path is not found")
            }
        }
    }

    private static func table(of count: Int) -> RouteTable {
        var builder = RouteTableBuilder()
        for route in 0..<count {
            do throws(RoutingError) {
                try builder.add(.get, host: nil, pattern: "/v1/thing-\(route)/:id/parts", route: route)
            } catch {
                preconditionFailure("\(error)")
            }
        }
        return builder.build(version: 1)
    }
}
