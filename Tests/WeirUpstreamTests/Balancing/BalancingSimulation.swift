// SPDX-License-Identifier: Apache-2.0
// Endpoints that take as long as a test says, and requests that come evenly. No clock: time is counted.

import WeirUpstream

struct BalancingSimulation {
    enum Answer {
        case after(milliseconds: Int)
        case failure(milliseconds: Int)
    }

    private struct Running {
        let endpoint: Int
        let start, end: UInt64
        let isFailure: Bool
    }

    let table: BalancerTable
    /// What an endpoint makes of a request that comes at a time in milliseconds.
    let answer: (_ endpoint: Int, _ milliseconds: Int) -> Answer
    private var running: [Running] = []
    private var random = WyRand(seed: 11)
    private(set) var counts: [Int]

    init(_ table: BalancerTable, answer: @escaping (_ endpoint: Int, _ milliseconds: Int) -> Answer) {
        self.table = table
        self.answer = answer
        counts = [Int](repeating: 0, count: table.entries.count)
    }

    /// Sends one request each `interval` milliseconds.
    mutating func run(_ milliseconds: Range<Int>, every interval: Int = 1) {
        for time in stride(from: milliseconds.lowerBound, to: milliseconds.upperBound, by: interval) {
            let now = UInt64(time + 1) * 1_000_000
            finish(until: now)
            guard let index = table.pick(at: now, random: &random) else { continue }
            counts[index] += 1
            table.entries[index].endpoint.load.begin()
            let (took, isFailure) =
                switch answer(index, time) {
                case .after(let milliseconds): (milliseconds, false)
                case .failure(let milliseconds): (milliseconds, true)
                }
            running.append(
                Running(endpoint: index, start: now, end: now + UInt64(took) * 1_000_000, isFailure: isFailure)
            )
        }
    }

    private mutating func finish(until now: UInt64) {
        for request in running.filter({ $0.end <= now }).sorted(by: { $0.end < $1.end }) {
            let endpoint = table.entries[request.endpoint].endpoint
            if request.isFailure {
                endpoint.load.noteFailure(after: request.end - request.start, at: request.end)
            } else {
                endpoint.load.note(request.end - request.start, at: request.end)
            }
            endpoint.load.end()
        }
        running.removeAll { $0.end <= now }
    }
}
