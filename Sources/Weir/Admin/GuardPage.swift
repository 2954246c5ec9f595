// SPDX-License-Identifier: Apache-2.0
// /guard: the routes that have a guard, what it compares with, and what it has found.

import WeirFlow

/// The guards as JSON, in the order of the routes.
enum GuardPage {
    static func json(_ guards: [RouteGuard]) -> [UInt8] {
        var json = JSONWriter()
        json.append("{\"routes\":[")
        for (index, routeGuard) in guards.enumerated() {
            if index > 0 { json.append(",") }
            append(routeGuard.name, routeGuard.report, to: &json)
        }
        json.append("]}\n")
        return json.bytes
    }

    private static func append(_ route: String, _ report: RouteGuard.Report, to json: inout JSONWriter) {
        json.append("{\"route\":")
        json.append(string: route)
        json.append(",\"state\":\"\(state(report))\",\"served_as_ever\":\(report.share)")
        json.append(",\"degradations\":\(report.degradations),\"baseline\":{")
        append(
            GuardSignal.allCases.compactMap { signal in
                report.baseline[signal].map { (signal, GuardFinding(signal: signal, value: $0, baseline: $0)) }
            },
            to: &json
        ) { $0.append("\($1.shown($1.value))") }
        json.append("},\"requests\":\(report.requests),\"window\":{")
        append(report.findings.map { ($0.signal, $0) }, to: &json) { json, finding in
            json.append("{\"value\":\(finding.shown(finding.value)),\"ratio\":\(finding.ratio)}")
        }
        json.append("}}")
    }

    private static func state(_ report: RouteGuard.Report) -> String {
        if report.isDegraded { return "degraded" }
        return report.isLearning ? "learning" : "normal"
    }

    private static func append(
        _ findings: [(GuardSignal, GuardFinding)],
        to json: inout JSONWriter,
        _ body: (inout JSONWriter, GuardFinding) -> Void
    ) {
        for (index, (signal, finding)) in findings.enumerated() {
            json.append("\(index == 0 ? "" : ",")\"\(signal.rawValue)\":")
            body(&json, finding)
        }
    }
}
