// SPDX-License-Identifier: Apache-2.0
// How the numbers that shards keep turn into label values.

/// The names behind the numbers in a shard.
package struct RequestLabels: Sendable {
    /// The methods' names by index; an empty name, or an index beyond them, is `_OTHER`, as in
    /// OpenTelemetry.
    package let methods: [String]

    /// The name with this index: the pattern of a route, or a tag. Nil for requests that met no route, which then have no
    /// label for it.
    package let name: @Sendable (Int32) -> String?

    package init(methods: [String], name: @escaping @Sendable (Int32) -> String?) {
        self.methods = methods
        self.name = name
    }

    func labels(_ key: RequestKey) -> [MetricLabel] {
        let name = methods.indices.contains(Int(key.method)) ? methods[Int(key.method)] : ""
        let method = name.isEmpty ? "_OTHER" : name
        return [MetricLabel("http_request_method", method)]
            + route(key.route)
            + [MetricLabel("http_response_status_code", "\(key.status)")]
    }

    func route(_ route: Int32) -> [MetricLabel] {
        name(route).map { [MetricLabel("http_route", $0)] } ?? []
    }

    /// What is counted for keys beyond a table's capacity; the name is OpenTelemetry's for the same case.
    static let overflow = [MetricLabel("otel_metric_overflow", "true")]
}
