// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirUpstream

@Suite struct EffectiveWeightTests {
    private static let second: UInt64 = 1_000_000_000

    private func standing(
        _ weight: Int,
        _ health: EndpointStanding.Health = .passing,
        _ healthWeights: (passing: Int, warning: Int) = (1, 1),
        backPressure: Double = 1
    ) -> EndpointStanding {
        var standing = EndpointStanding(configuredWeight: weight)
        standing.health = health
        (standing.passingWeight, standing.warningWeight) = healthWeights
        standing.backPressure = backPressure
        return standing
    }

    @Test func `it is the configured weight by health`() {
        let cases: [(EndpointStanding, Double)] = [
            (standing(1), 1),
            (standing(0), 0),
            (standing(7), 7),
            (standing(7, .warning), 7),
            (standing(7, .critical), 0),
            (standing(3, .passing, (10, 1)), 30),
            (standing(3, .warning, (10, 1)), 3),
            (standing(3, .warning, (10, 0)), 0),
            (standing(3, .critical, (10, 1)), 0),
            (standing(8, backPressure: 0.5), 4),
            (standing(8, backPressure: 0), 0),
            (standing(8, backPressure: 7), 8),
            (standing(8, backPressure: -1), 0),
            (standing(1, backPressure: 1e-9), 1.0 / 1024),
            (standing(65_535), 65_535),
            (standing(65_535, .passing, (65_535, 1)), 65_535),
        ]
        for (standing, expected) in cases {
            #expect(standing.weight(at: 0).value == expected, "\(standing)")
        }
    }

    @Test func `where the source says what a warning leaves, the upstream's weights are not asked`() {
        for (health, expected) in [(EndpointStanding.Health.passing, 7.0), (.warning, 2), (.critical, 0)] {
            var standing = standing(7, health, (10, 3))
            standing.ownWarningWeight = 2
            #expect(standing.weight(at: 0).value == expected)
            #expect(standing.configuredShare.value == 7)
        }
    }

    @Test func `slow start grows from a tenth to all, and never falls`() {
        var standing = standing(1000)
        standing.recoveredAt = 50 * Self.second
        standing.slowStart = 10 * Self.second
        let weights = (0...200).map { standing.weight(at: 50 * Self.second + UInt64($0) * Self.second / 10) }
        #expect(weights[0].value == 100)
        #expect(weights[50].value == 550)
        #expect(weights[100].value == 1000)
        #expect(zip(weights, weights.dropFirst()).allSatisfy { $0 <= $1 })
        #expect(zip(weights[0...100], weights[1...100]).allSatisfy { $0 < $1 })
        #expect(weights[100...].allSatisfy { $0.value == 1000 })
        #expect(standing.weight(at: 0).value == 100, "a clock that is behind")
    }

    @Test func `without a window or a recovery there is no slow start`() {
        var standing = standing(5)
        standing.slowStart = 10 * Self.second
        #expect(standing.weight(at: 0).value == 5, "it was never away")
        standing.recoveredAt = 0
        standing.slowStart = 0
        #expect(standing.weight(at: 0).value == 5)
    }

    @Test func `the factors multiply`() {
        var standing = standing(100, .warning, (10, 4), backPressure: 0.5)
        standing.recoveredAt = 0
        standing.slowStart = 10 * Self.second
        #expect(standing.weight(at: 5 * Self.second).value == 110)
    }
}
