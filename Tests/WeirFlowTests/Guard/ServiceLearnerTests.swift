// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirFlow
import WeirTestSupport

@Suite("ServiceLearner") struct ServiceLearnerTests {
    private static func learnt(_ windows: [ServiceWindow], into baseline: Baseline = Baseline(version: "1")) -> Baseline
    {
        var random = SeededGenerator(seed: 1)
        var learner = ServiceLearner()
        for window in windows { learner.add(window, using: &random) }
        var baseline = baseline
        learner.complete(&baseline)
        return baseline
    }

    private static func window(failures: Int, of requests: Int = 100) -> ServiceWindow {
        ServiceWindow(
            memoryGrowth: 1000,
            cpuSteal: 0.02,
            upstreams: ["orders": ServiceWindow.Upstream(requests: requests, failures: failures)]
        )
    }

    @Test("The median of enough windows is what is usual")
    func median() {
        let baseline = Self.learnt((0..<22).map { Self.window(failures: $0 % 3) })
        #expect(baseline.memoryGrowth == 1000 && baseline.cpuSteal == 0.02)
        #expect(baseline.upstreams == ["orders": Baseline.Upstream(errorRate: 0.01)])
    }

    @Test("Too few windows change nothing, and of too few requests no share is taken")
    func few() {
        var known = Baseline(version: "1", memoryGrowth: 7, cpuSteal: 0.5)
        known.upstreams["orders"] = Baseline.Upstream(errorRate: 0.2)
        #expect(Self.learnt((0..<21).map { _ in Self.window(failures: 1) }, into: known) == known)
        let silent = Self.learnt((0..<30).map { _ in Self.window(failures: 9, of: 29) }, into: known)
        #expect(silent.upstreams == known.upstreams && silent.memoryGrowth == 1000)
    }

    @Test("What cannot be told is left out")
    func unknown() {
        #expect(Self.learnt((0..<30).map { _ in ServiceWindow() }) == Baseline(version: "1"))
    }
}
