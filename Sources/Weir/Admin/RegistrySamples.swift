// SPDX-License-Identifier: Apache-2.0
// What /metrics says of the services that are registered with this instance.

import WeirMetrics
import WeirUpstream

/// Reads the registry.
enum RegistrySamples {
    static func all(of registry: HealthRegistry) -> [MetricSample] {
        let checks = registry.checks().value
        let byStatus = CheckStatus.allCases.map { status in
            MetricSample(
                "weir_registry_checks",
                "Health checks of registered services and of the node, by status.",
                kind: .gauge,
                labels: [MetricLabel("status", status.rawValue)],
                value: Double(checks.count { $0.status == status })
            )
        }
        return [
            MetricSample(
                "weir_registry_services",
                "Services that are registered with this instance.",
                kind: .gauge,
                value: Double(registry.services().value.count)
            )
        ] + byStatus + [
            MetricSample(
                "weir_registry_queries_waiting",
                "Queries that wait for a change of registered services.",
                kind: .gauge,
                value: Double(registry.waiterCount)
            )
        ]
    }
}
