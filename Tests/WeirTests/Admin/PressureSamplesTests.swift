// SPDX-License-Identifier: Apache-2.0
// What /metrics says of what holds the process up from outside.

import Testing
import Weir
import WeirHost
import WeirMetrics

@Suite struct PressureSamplesTests {
    private static func text(_ reading: PressureReading) -> String {
        var writer = PrometheusText()
        writer.write(samples: PressureSamples.all(of: reading))
        return String(decoding: writer.bytes, as: UTF8.self)
    }

    private static let nothing = PressureReading()

    @Test func `what the machine does not tell has no series`() {
        #expect(Self.text(Self.nothing) == "")
    }

    @Test func `what it tells stands under names with units, as counters but for the tasks`() {
        let lines = Self.text(
            PressureReading(
                throttlingOwn: CPUThrottling(periods: 120, throttledPeriods: 30, throttledSeconds: 4.5),
                throttlingAbove: CPUThrottling(periods: 1, throttledPeriods: 0, throttledSeconds: 0),
                stalls: [
                    PressureStall(.cpu, .some, .cgroup, seconds: 2.5), PressureStall(.io, .full, .node, seconds: 3),
                ],
                tasks: TaskCount(current: 12, max: 100),
                stealSeconds: 1.25
            )
        ).split(separator: "\n").filter { !$0.hasPrefix("# HELP") }
        #expect(
            lines == [
                "# TYPE weir_cpu_periods_total counter", #"weir_cpu_periods_total{group="own"} 120"#,
                #"weir_cpu_periods_total{group="above"} 1"#, "# TYPE weir_cpu_throttled_periods_total counter",
                #"weir_cpu_throttled_periods_total{group="own"} 30"#,
                #"weir_cpu_throttled_periods_total{group="above"} 0"#,
                "# TYPE weir_cpu_throttled_seconds_total counter",
                #"weir_cpu_throttled_seconds_total{group="own"} 4.5"#,
                #"weir_cpu_throttled_seconds_total{group="above"} 0"#, "# TYPE weir_pressure_seconds_total counter",
                #"weir_pressure_seconds_total{resource="cpu",kind="some",scope="cgroup"} 2.5"#,
                #"weir_pressure_seconds_total{resource="io",kind="full",scope="node"} 3"#, "# TYPE weir_pids gauge",
                "weir_pids 12", "# TYPE weir_pids_max gauge", "weir_pids_max 100",
                "# TYPE weir_cpu_steal_seconds_total counter", "weir_cpu_steal_seconds_total 1.25",
            ]
        )
    }
}
