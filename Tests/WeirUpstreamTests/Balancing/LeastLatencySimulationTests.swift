// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirUpstream

@Suite struct LeastLatencySimulationTests {
    @Test(arguments: [2, 3, 10])
    func `a slow endpoint gets little`(count: Int) {
        var simulation = BalancingSimulation(table(.leastLatency, [Int](repeating: 1, count: count))) { endpoint, _ in
            .after(milliseconds: endpoint == 0 ? 100 : 2)
        }
        simulation.run(0..<10_000)
        #expect(simulation.counts[0] >= 1 && simulation.counts[0] <= 20, "\(simulation.counts)")
    }

    @Test func `an endpoint that becomes slow is left at once, and asked again when it is well`() {
        var simulation = BalancingSimulation(table(.leastLatency, [1, 1, 1])) { endpoint, milliseconds in
            .after(milliseconds: endpoint == 0 && milliseconds >= 5000 && milliseconds < 10_000 ? 1000 : 2)
        }
        simulation.run(0..<5000)
        let well = simulation.counts[0]
        #expect(well > 1000)
        simulation.run(5000..<10_000)
        let slow = simulation.counts[0] - well
        #expect(slow < 100)
        simulation.run(10_000..<100_000)
        let again = simulation.counts[0] - well - slow
        #expect(again > 3000)
    }

    @Test func `an endpoint that fails fast does not draw traffic`() {
        var simulation = BalancingSimulation(table(.leastLatency, [1, 1, 1])) { endpoint, _ in
            endpoint == 0 ? .failure(milliseconds: 0) : .after(milliseconds: 5)
        }
        simulation.run(0..<10_000)
        #expect(simulation.counts[0] >= 1 && simulation.counts[0] <= 20, "\(simulation.counts)")
    }

    @Test func `an endpoint that never answers holds few requests`() {
        var simulation = BalancingSimulation(table(.leastLatency, [1, 1, 1])) { endpoint, milliseconds in
            endpoint == 0 && milliseconds >= 1000 ? .failure(milliseconds: 15_000) : .after(milliseconds: 5)
        }
        simulation.run(0..<1000)
        let before = simulation.counts[0]
        simulation.run(1000..<60_000)
        #expect(simulation.counts[0] - before <= 40, "\(simulation.counts[0] - before) of 59,000")
    }

    @Test func `a new endpoint gets a request at once, and the others when it has answered`() {
        var simulation = BalancingSimulation(table(.leastLatency, [1, 1, 1])) { endpoint, milliseconds in
            .after(milliseconds: endpoint == 0 && milliseconds < 5100 ? 80 : 5)
        }
        simulation.run(0..<5000)
        simulation.table.entries[0].endpoint.load.forget()
        let before = simulation.counts[0]
        simulation.run(5000..<5080)
        let atFirst = simulation.counts[0] - before
        #expect(atFirst >= 1 && atFirst <= 2)
        simulation.run(5080..<60_000)
        #expect(simulation.counts[0] - before > 5000)
    }
}
