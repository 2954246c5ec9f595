// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirUpstream

@Suite struct PanicThresholdTests {
    /// Percent, healthy ones, all.
    @Test(arguments: [
        (50, 0, 0, false),
        (50, 0, 1, true), (50, 1, 1, false),
        (50, 0, 2, true), (50, 1, 2, false), (50, 2, 2, false),
        (50, 0, 3, true), (50, 1, 3, true), (50, 2, 3, false), (50, 3, 3, false),
        (50, 49, 99, true), (50, 50, 99, false), (50, 50, 100, false), (50, 49, 100, true),
        (0, 0, 1, false), (0, 0, 3, false),
        (1, 0, 3, true), (1, 1, 3, false), (1, 1, 100, false), (1, 1, 101, true),
        (100, 2, 3, true), (100, 3, 3, false), (100, 1, 1, false),
        (34, 1, 3, true), (33, 1, 3, false),
    ])
    func `it panics below the threshold`(percent: Int, healthy: Int, count: Int, expected: Bool) {
        #expect(PanicThreshold(percent: percent).isPanicking(healthy: healthy, of: count) == expected)
    }

    private func weights(
        _ health: [EndpointStanding.Health],
        _ configured: [Int],
        percent: Int = PanicThreshold.percentDefault
    ) -> ([Double], Bool) {
        let standings = zip(health, configured).map { health, weight in
            var standing = EndpointStanding(configuredWeight: weight)
            standing.health = health
            (standing.passingWeight, standing.warningWeight) = (4, 1)
            return standing
        }
        let (weights, isPanicking) = PanicThreshold(percent: percent).weights(of: standings, at: 0)
        return (weights.map(\.value), isPanicking)
    }

    @Test func `in a panic all have their configured weights, else those of their health`() {
        #expect(weights([.critical], [3]) == ([12], true))
        #expect(weights([.critical], [3], percent: 0) == ([0], false))
        #expect(weights([.passing, .critical], [1, 2]) == ([4, 0], false))
        #expect(weights([.critical, .critical], [1, 2]) == ([4, 8], true))
        #expect(weights([.passing, .critical, .critical], [1, 2, 3]) == ([4, 8, 12], true))
        #expect(weights([.passing, .warning, .critical], [1, 2, 3]) == ([4, 2, 0], false))
        #expect(weights([.warning, .critical, .critical], [1, 2, 3]) == ([4, 8, 12], true))
    }

    @Test func `what was configured to get nothing counts on neither side`() {
        #expect(weights([.passing, .critical, .critical, .critical], [1, 1, 0, 0]) == ([4, 0, 0, 0], false))
        #expect(weights([.critical, .critical, .passing, .passing], [1, 1, 0, 0]) == ([4, 4, 0, 0], true))
    }

    @Test func `slow start and back-pressure don't count in a panic, nor make one`() {
        var slow = EndpointStanding(configuredWeight: 10)
        (slow.recoveredAt, slow.slowStart, slow.backPressure) = (0, 10, 0.5)
        var failing = EndpointStanding(configuredWeight: 10)
        failing.health = .critical
        let calm = PanicThreshold().weights(of: [slow, failing], at: 0)
        #expect(calm.weights.map(\.value) == [0.5, 0] && !calm.isPanicking)
        let panic = PanicThreshold().weights(of: [slow, failing, failing], at: 0)
        #expect(panic.weights.map(\.value) == [10, 10, 10] && panic.isPanicking)
    }
}
