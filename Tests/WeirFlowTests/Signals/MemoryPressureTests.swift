// SPDX-License-Identifier: Apache-2.0
// The levels of memory pressure, by tables.

import Testing
import WeirFlow

@Suite struct MemoryPressureTests {
    @Test(
        arguments: [
            ([0, 850], [.normal, .normal]),
            ([851], [.shedding]),
            ([950], [.shedding]),
            ([951], [.critical]),
            ([1200], [.critical]),
            // Entered at one share, left 5 points below.
            ([860, 849, 801, 799, 849, 851], [.shedding, .shedding, .shedding, .normal, .normal, .shedding]),
            ([960, 949, 901, 899, 801, 799], [.critical, .critical, .critical, .shedding, .shedding, .normal]),
            ([960, 700, 840], [.critical, .normal, .normal]),
            ([700, 960, 860, 940], [.normal, .critical, .shedding, .shedding]),
        ] as [([Int], [MemoryPressureLevel])]
    )
    func `a level is entered above its threshold and left below it`(used: [Int], levels: [MemoryPressureLevel]) {
        var pressure = MemoryPressure()
        #expect(used.map { pressure.update(usedBytes: $0, limitBytes: 1000) } == levels)
    }

    @Test(arguments: [(nil, 1000), (990, nil), (990, 0), (990, -1), (-1, 1000), (nil, nil)] as [(Int?, Int?)])
    func `without a reading the level is normal`(used: Int?, limit: Int?) {
        var pressure = MemoryPressure()
        #expect(pressure.update(usedBytes: 990, limitBytes: 1000) == .critical)
        #expect(pressure.update(usedBytes: used, limitBytes: limit) == .normal)
        // It has no memory of what was before either.
        #expect(pressure.update(usedBytes: 840, limitBytes: 1000) == .normal)
    }

    @Test func `thresholds are the caller's`() {
        let thresholds = MemoryPressure.Thresholds(shedding: 0.5, critical: 0.5, release: 0.1)
        var pressure = MemoryPressure(thresholds: thresholds)
        let levels = [50, 51, 45, 39, 50].map { pressure.update(usedBytes: $0, limitBytes: 100) }
        #expect(levels == [.normal, .critical, .critical, .normal, .normal])
    }

    @Test func `huge numbers are no trap`() {
        var pressure = MemoryPressure()
        #expect(pressure.update(usedBytes: .max, limitBytes: 1) == .critical)
        #expect(pressure.update(usedBytes: 1, limitBytes: .max) == .normal)
    }
}
