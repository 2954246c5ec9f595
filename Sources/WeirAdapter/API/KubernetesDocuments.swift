// SPDX-License-Identifier: Apache-2.0
// What the metrics APIs answer, as it stands in JSON: discovery, values and refusals. Values.

import FoundationEssentials

/// `Status`: a refusal.
struct StatusDocument: Encodable {
    let kind = "Status"
    let apiVersion = "v1"
    let metadata: [String: String] = [:]
    let status = "Failure"
    let message: String
    let reason: String
    let code: Int
}

/// `APIGroupList`, the answer to `/apis`.
struct GroupListDocument: Encodable {
    let kind = "APIGroupList"
    let apiVersion = "v1"
    let groups: [GroupDocument]
}

/// `APIGroup`.
struct GroupDocument: Encodable {
    struct Version: Encodable {
        let groupVersion: String
        let version: String

        init(_ version: MetricsVersion) {
            groupVersion = version.rawValue
            self.version = version.version
        }
    }

    let kind = "APIGroup"
    let apiVersion = "v1"
    let name: String
    let versions: [Version]
    let preferredVersion: Version

    /// - Parameter versions: of one group, the preferred one first; not empty.
    init(_ versions: [MetricsVersion]) {
        name = versions[0].group
        self.versions = versions.map(Version.init)
        preferredVersion = Version(versions[0])
    }
}

/// `APIResourceList`: the metrics of a version.
struct ResourceListDocument: Encodable {
    struct Resource: Encodable {
        let name: String
        let singularName = ""
        let namespaced = true
        let kind: String
        let verbs = ["get"]
    }

    let kind = "APIResourceList"
    let apiVersion = "v1"
    let groupVersion: String
    let resources: [Resource]

    init(_ version: MetricsVersion) {
        groupVersion = version.rawValue
        let isExternal = version == .externalV1beta1
        let names = PodSignal.allCases.map(\.rawValue)
        let paths = isExternal ? names : ["pods", "services"].flatMap { kind in names.map { "\(kind)/\($0)" } }
        resources = paths.map { path in
            Resource(name: path, kind: isExternal ? "ExternalMetricValueList" : "MetricValueList")
        }
    }
}

/// A list of values.
struct ValueListDocument<Item: Encodable>: Encodable {
    let kind: String
    let apiVersion: String
    let metadata: [String: String] = [:]
    let items: [Item]
}

/// Whom a value is of.
struct ObjectReference: Encodable {
    let kind: String
    let namespace: String
    let name: String
    let apiVersion = "v1"
}

/// `MetricValue` of `custom.metrics.k8s.io/v1beta2`.
struct ValueV1beta2: Encodable {
    struct Metric: Encodable {
        let name: String
        let selector: SelectorDocument?
    }

    let describedObject: ObjectReference
    let metric: Metric
    let timestamp: String
    let windowSeconds: Int64?
    let value: String
}

/// `MetricValue` of `custom.metrics.k8s.io/v1beta1`.
struct ValueV1beta1: Encodable {
    let describedObject: ObjectReference
    let metricName: String
    let timestamp: String
    let window: Int64?
    let value: String
    let selector: SelectorDocument?
}

/// `ExternalMetricValue`.
struct ExternalValue: Encodable {
    let metricName: String
    let metricLabels: [String: String] = [:]
    let timestamp: String
    let window: Int64?
    let value: String
}

/// `metav1.LabelSelector`, as it is given back with a value.
struct SelectorDocument: Encodable {
    struct Expression: Encodable {
        let key: String
        let `operator`: String
        let values: [String]?
    }

    let matchExpressions: [Expression]

    /// Nil for one that asks for nothing.
    init?(_ selector: LabelSelector) {
        guard !selector.requirements.isEmpty else { return nil }
        matchExpressions = selector.requirements.compactMap { requirement in
            switch requirement {
            case .isIn(let key, let values): Expression(key: key, operator: "In", values: values.sorted())
            case .isNotIn(let key, let values): Expression(key: key, operator: "NotIn", values: values.sorted())
            case .exists(let key): Expression(key: key, operator: "Exists", values: nil)
            case .isAbsent(let key): Expression(key: key, operator: "DoesNotExist", values: nil)
            // It has no form for these.
            case .isAbove, .isBelow: nil
            }
        }
    }
}

/// Unix time as RFC 3339 has it, `2026-01-31T12:00:00Z`. Pure.
package enum Timestamp {
    package static func text(_ seconds: Int64) -> String {
        let day = seconds >= 0 ? seconds / 86_400 : (seconds - 86_399) / 86_400
        let second = seconds - day * 86_400
        // Days since 1 March 0000, in eras of 400 years.
        let shifted = day + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        let date = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        let month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        let year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
        func two(_ number: Int64) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(year)-\(two(month))-\(two(date))T\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60))Z"
    }
}
