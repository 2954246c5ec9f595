// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir

@Suite(.timeLimit(.minutes(2))) struct AppliedFlowTests {
    @Test func `routes that name a pool share it, and it has the file's name`() async throws {
        let yaml = """
            pools: {reports: {concurrency: 3, queue: 5}}
            routes:
              - {match: {path: /a}, upstream: a, pool: reports}
              - {match: {path: /b}, upstream: a, pool: reports}
              - {match: {path: /c}, upstream: a, concurrency: 2}
              - {match: {path: /d}, upstream: a, pool: none}
            """
        try await withConfiguredGateway(["a"], yaml) { client async throws in
            let pools = client.pools
            #expect(pools.map(\.name) == ["pod", "reports", "/c"])
            #expect(pools.map(\.limit).dropFirst() == [3, 2])
            #expect(pools.map(\.queueLimit).dropFirst() == [5, 8])
        }
    }
}
