// SPDX-License-Identifier: Apache-2.0
// What a client of the aggregation layer asks for: a path and its query to a value. Pure.

package import Weir

/// A group of the API that is served, in one of its versions.
package enum MetricsVersion: String, Sendable, CaseIterable {
    case customV1beta2 = "custom.metrics.k8s.io/v1beta2"
    case customV1beta1 = "custom.metrics.k8s.io/v1beta1"
    case externalV1beta1 = "external.metrics.k8s.io/v1beta1"

    package static let customGroup = "custom.metrics.k8s.io"
    package static let externalGroup = "external.metrics.k8s.io"

    var group: String { String(rawValue.prefix { $0 != "/" }) }

    var version: String { String(rawValue.drop { $0 != "/" }.dropFirst()) }

    /// What its APIService is called.
    package var serviceName: String { "\(version).\(group)" }

    /// Those that are served, the preferred one of each group first.
    package static func served(external: Bool) -> [MetricsVersion] {
        [.customV1beta2, .customV1beta1] + (external ? [.externalV1beta1] : [])
    }
}

/// A request of the metrics APIs.
package enum MetricsRequest: Sendable, Equatable {
    case groups
    case group(String)
    case resources(MetricsVersion)
    case openAPI2
    /// The document of a version; nil for the list of them.
    case openAPI3(MetricsVersion?)
    /// A metric of one pod, or of all that the selector means where `name` is nil.
    case pods(MetricsVersion, namespace: String, name: String?, metric: MetricName, LabelSelector)
    /// A metric of a service.
    case service(MetricsVersion, namespace: String, name: String, metric: MetricName)
    case external(namespace: String, metric: MetricName, LabelSelector)

    /// A metric and what its own labels are to be, as it was written.
    package struct MetricName: Sendable, Equatable {
        package var name: String
        package var selector: String

        package init(_ name: String, selector: String = "") {
            self.name = name
            self.selector = selector
        }
    }

    /// Why there is no such request.
    package enum Fault: Error, Equatable {
        /// 404.
        case unknown
        /// 400, with what would be right.
        case malformed(String)
    }

    /// - Parameter path: decoded, without the query.
    package init(path: String, query: Query) throws(Fault) {
        let parts = path.split(separator: "/").map(String.init)
        switch parts.first {
        case "openapi" where parts == ["openapi", "v2"]: self = .openAPI2
        case "openapi" where parts == ["openapi", "v3"]: self = .openAPI3(nil)
        case "openapi" where parts.count == 5 && parts.starts(with: ["openapi", "v3", "apis"]):
            guard let version = MetricsVersion(rawValue: "\(parts[3])/\(parts[4])") else { throw .unknown }
            self = .openAPI3(version)
        case "apis": try self.init(parts.dropFirst(), query)
        default: throw .unknown
        }
    }

    private init(_ parts: ArraySlice<String>, _ query: Query) throws(Fault) {
        let parts = Array(parts)
        switch parts.count {
        case 0: self = .groups
        case 1: self = .group(parts[0])
        default:
            guard let version = MetricsVersion(rawValue: "\(parts[0])/\(parts[1])") else { throw .unknown }
            let rest = Array(parts[2...])
            if rest.isEmpty {
                self = .resources(version)
            } else if version == .externalV1beta1 {
                self = try .ofExternal(rest, query)
            } else {
                self = try .ofObject(version, rest, query)
            }
        }
    }

    private static func ofObject(
        _ version: MetricsVersion,
        _ parts: [String],
        _ query: Query
    ) throws(Fault) -> MetricsRequest {
        guard parts.count == 5, parts[0] == "namespaces" else { throw .unknown }
        let (namespace, name) = (parts[1], parts[3])
        let metric = MetricName(parts[4], selector: query["metricLabelSelector"] ?? "")
        let selector = try selector("labelSelector", query)
        switch parts[2] {
        case "pods":
            return .pods(version, namespace: namespace, name: name == "*" ? nil : name, metric: metric, selector)
        case "services":
            guard name != "*" else { throw .malformed("services are asked for by name, one at a time") }
            return .service(version, namespace: namespace, name: name, metric: metric)
        default: throw .unknown
        }
    }

    private static func ofExternal(_ parts: [String], _ query: Query) throws(Fault) -> MetricsRequest {
        guard parts.count == 3, parts[0] == "namespaces" else { throw .unknown }
        let selector = try selector("labelSelector", query)
        return .external(namespace: parts[1], metric: MetricName(parts[2]), selector)
    }

    private static func selector(_ name: String, _ query: Query) throws(Fault) -> LabelSelector {
        let text = query[name] ?? ""
        guard let selector = LabelSelector(parsing: text) else {
            throw .malformed(
                "\(name) \"\(text.prefix(200))\" is no label selector; expected such as app=orders,tier in (web)"
            )
        }
        return selector
    }
}
