// SPDX-License-Identifier: Apache-2.0
// What /metrics says of what holds the process up from outside. What the machine does not tell has no series: a 0 would
// say that all is well.

package import WeirHost
package import WeirMetrics

/// Turns a reading into samples, family by family.
package enum PressureSamples {
    package static func all(of reading: PressureReading) -> [MetricSample] {
        throttling(reading) + stalls(reading) + tasks(reading)
            + (reading.stealSeconds.map { seconds in
                [
                    MetricSample(
                        "weir_cpu_steal_seconds_total",
                        "CPU time that the hypervisor gave to others, of all CPUs of the machine.",
                        kind: .counter,
                        value: seconds
                    )
                ]
            } ?? [])
    }

    private static func throttling(_ reading: PressureReading) -> [MetricSample] {
        let groups = [("own", reading.throttlingOwn), ("above", reading.throttlingAbove)].compactMap { label, found in
            found.map { (labels: [MetricLabel("group", label)], throttling: $0) }
        }
        func family(_ name: String, _ help: String, _ value: (CPUThrottling) -> Double) -> [MetricSample] {
            groups.map { MetricSample(name, help, kind: .counter, labels: $0.labels, value: value($0.throttling)) }
        }
        return family("weir_cpu_periods_total", "Periods of the CPU quota in which the control group ran.") {
            Double($0.periods)
        }
            + family("weir_cpu_throttled_periods_total", "Periods in which the CPU quota was used up.") {
                Double($0.throttledPeriods)
            }
            + family("weir_cpu_throttled_seconds_total", "Time for which the CPU quota stopped the control group.") {
                $0.throttledSeconds
            }
    }

    private static func stalls(_ reading: PressureReading) -> [MetricSample] {
        reading.stalls.map { stall in
            MetricSample(
                "weir_pressure_seconds_total",
                "Time in which some or all tasks of the control group, or of the node, waited for a resource.",
                kind: .counter,
                labels: [
                    MetricLabel("resource", stall.resource.rawValue), MetricLabel("kind", stall.kind.rawValue),
                    MetricLabel("scope", stall.scope.rawValue),
                ],
                value: stall.seconds
            )
        }
    }

    private static func tasks(_ reading: PressureReading) -> [MetricSample] {
        func gauge(_ name: String, _ help: String, _ value: Int?) -> [MetricSample] {
            value.map { [MetricSample(name, help, kind: .gauge, value: Double($0))] } ?? []
        }
        return gauge(
            "weir_pids",
            "Processes and threads of the control group that is nearest to its limit.",
            reading.tasks?.current
        ) + gauge("weir_pids_max", "How many processes and threads that group may have.", reading.tasks?.max)
    }
}
