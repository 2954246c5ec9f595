// SPDX-License-Identifier: Apache-2.0
// Two baselines side by side, for `weir baseline`. Pure.

/// One line of the comparison.
package struct BaselineRow: Equatable, Sendable {
    package enum Unit: Equatable, Sendable {
        case seconds
        case bytesPerSecond
        case share

        /// A smaller difference is the same, whatever the ratio.
        var least: Double {
            switch self {
            case .seconds: 0.001
            case .bytesPerSecond: 65_536
            case .share: 0.01
            }
        }
    }

    package enum Verdict: String, Sendable {
        case same
        case better
        case worse
        /// The new baseline alone has it.
        case added
        /// The old baseline alone has it.
        case removed
    }

    package let name: String
    package let unit: Unit
    package let old: Double?
    package let new: Double?

    package init(name: String, unit: Unit, old: Double?, new: Double?) {
        self.name = name
        self.unit = unit
        self.old = old
        self.new = new
    }

    /// Medians of windows of the same version differ by less.
    package static let ratioSame = 1.25

    /// The new value over the old one; nil where one is missing, or the old one is not above 0.
    package var ratio: Double? {
        guard let old, let new, old > 0 else { return nil }
        return new / old
    }

    package var verdict: Verdict {
        guard let old else { return .added }
        guard let new else { return .removed }
        // Memory that was given back is none that grew.
        let (before, after) = (max(0, old), max(0, new))
        if abs(after - before) < unit.least { return .same }
        if after > before { return after > before * Self.ratioSame ? .worse : .same }
        return before > after * Self.ratioSame ? .better : .same
    }
}

extension Baseline {
    /// Every value that one of the two has: the service's, then the routes' and the upstreams', each in order of name.
    package static func compare(old: Baseline, new: Baseline) -> [BaselineRow] {
        var rows: [BaselineRow] = []
        func add(_ name: String, _ unit: BaselineRow.Unit, _ before: Double?, _ after: Double?) {
            guard before != nil || after != nil else { return }
            rows.append(BaselineRow(name: name, unit: unit, old: before, new: after))
        }
        add("memory growth", .bytesPerSecond, old.memoryGrowth, new.memoryGrowth)
        add("CPU steal", .share, old.cpuSteal, new.cpuSteal)
        for name in Set(old.routes.keys).union(new.routes.keys).sorted() {
            let (before, after) = (old.routes[name], new.routes[name])
            add("route \(name) latency p50", .seconds, before?.latencyP50Seconds, after?.latencyP50Seconds)
            add("route \(name) latency p95", .seconds, before?.latencyP95Seconds, after?.latencyP95Seconds)
            add("route \(name) queue p95", .seconds, before?.queueP95Seconds, after?.queueP95Seconds)
        }
        for name in Set(old.upstreams.keys).union(new.upstreams.keys).sorted() {
            add("upstream \(name) error rate", .share, old.upstreams[name]?.errorRate, new.upstreams[name]?.errorRate)
        }
        return rows
    }
}
