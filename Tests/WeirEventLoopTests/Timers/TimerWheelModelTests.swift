// SPDX-License-Identifier: Apache-2.0
// The wheel against a dictionary of due ticks, over random sequences.

import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct TimerWheelModelTests {
    private static let nodeCount = 40
    /// Delays up to these: one level, two, … and the whole span.
    static let spans: [UInt64] = [40, 63, 64, 4095, 4096, 300_000, 20_000_000, 1 << 29, 1 << 30]

    @Test(arguments: spans, [false, true])
    func `agrees with a table of due ticks`(span: UInt64, startsAnywhere: Bool) throws {
        for _ in 0..<20 {
            let seed = UInt64.random(in: 0...(.max))
            try run(span: span, startsAnywhere: startsAnywhere, seed: seed)
        }
    }

    private func run(span: UInt64, startsAnywhere: Bool, seed: UInt64) throws {
        var random = SeededGenerator(seed: seed)
        var present = startsAnywhere ? UInt64.random(in: 0..<(1 << 40), using: &random) : 0
        let wheel = Wheel(tick: present)
        let nodes = TimerNodes(Self.nodeCount)
        var model: [Int: UInt64] = [:]
        for step in 0..<300 {
            let comment: Comment = "seed \(seed), span \(span), step \(step)"
            let index = random.below(Self.nodeCount)
            switch random.below(10) {
            case 0..<5:
                let tick = present + Self.delay(upTo: span, &random)
                wheel.schedule(nodes[index], at: tick)
                model[index] = min(max(tick, present + 1), present + (1 << 30) - 1)
            case 5, 6:
                wheel.cancel(nodes[index])
                model[index] = nil
            default:
                let next = wheel.nextTick
                if let first = model.values.min() {
                    try #require(next != nil && next! <= max(first, present), comment)
                } else {
                    try #require(next == nil, comment)
                }
                present =
                    random.below(4) == 0 ? max(present, next ?? present) : present + Self.delay(upTo: span, &random)
                wheel.advance(to: present)
                // Sometimes a node that is due is taken back, or only some are taken, and the rest later.
                if random.below(3) == 0, let due = model.first(where: { $0.value <= present }) {
                    wheel.cancel(nodes[due.key])
                    model[due.key] = nil
                }
                var budget = random.below(3) == 0 ? random.below(5) : .max
                while budget > 0, let node = wheel.takeDue() {
                    let due = model.removeValue(forKey: nodes.index(of: node))
                    try #require(due != nil && due! <= present, "early or not armed: \(comment)")
                    budget -= 1
                }
                if budget > 0 {
                    try #require(model.values.allSatisfy { $0 > present }, "lost: \(comment)")
                }
            }
            try #require(wheel.armedCount == model.count, comment)
        }
    }

    /// Mostly short delays and those beside a level's border, so that nodes meet in slots.
    private static func delay(upTo span: UInt64, _ random: inout SeededGenerator) -> UInt64 {
        let delay: UInt64 =
            switch random.below(4) {
            case 0: UInt64.random(in: 0...80, using: &random)
            case 1: (1 << UInt64(6 * random.below(6))) - 1 + UInt64(random.below(3))
            case 2: UInt64.random(in: 0...span, using: &random)
            default: UInt64.random(in: 0...(1 << UInt64(random.below(31))), using: &random)
            }
        return min(delay, span)
    }
}
