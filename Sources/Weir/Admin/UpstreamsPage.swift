// SPDX-License-Identifier: Apache-2.0
// /upstreams: the endpoints that requests are passed on to, and what has come of it.

import WeirEventLoop
package import WeirUpstream

/// The upstreams as JSON, endpoints in the order in which they were given.
package enum UpstreamsPage {
    package static func json(_ upstreams: [Upstream]) -> [UInt8] {
        var json = JSONWriter()
        json.append("{\"upstreams\":")
        append(upstreams, to: &json) { upstream, json in
            json.append("{\"name\":")
            json.append(string: upstream.name)
            if let source = upstream.report.source { append(source, to: &json) }
            json.append(",\"endpoints\":")
            let set = upstream.endpointSet
            append(Array(zip(set.endpoints, set.configuredWeights)), to: &json) { append($0.0, $0.1, to: &$1) }
            json.append("}")
        }
        json.append("}\n")
        return json.bytes
    }

    /// Where its endpoints are found, and why they cannot be found now.
    private static func append(_ source: UpstreamReport.Source, to json: inout JSONWriter) {
        json.append(",\"source\":{\"url\":")
        json.append(string: source.place)
        json.append(",\"endpoints\":\(source.counts.endpointCount),\"problem\":")
        if let problem = source.problem { json.append(string: problem) } else { json.append("null") }
        json.append("}")
    }

    /// The weight is the one in force: a reload gives an endpoint that stays another.
    private static func append(_ endpoint: Endpoint, _ weight: ConfiguredWeight, to json: inout JSONWriter) {
        json.append("{\"url\":")
        json.append(string: endpoint.name)
        json.append(",\"weight\":\(weight.passing),\"addresses\":")
        append(endpoint.knownAddresses, to: &json) { $1.append(string: $0.description) }
        json.append(",\"health\":\"\(endpoint.health.word)\",\"check\":")
        json.append(string: endpoint.condition.checkOutput)
        json.append(",\"has_answered\":\(endpoint.hasAnswered)")
        json.append(",\"connections\":\(endpoint.connectionCount)")
        json.append(",\"connections_opened\":\(endpoint.openedCount)")
        json.append(",\"requests_executing\":\(endpoint.requestsExecuting)")
        json.append(",\"requests\":\(endpoint.requestCount)")
        json.append(",\"failures\":{")
        for (index, failure) in endpoint.failureCounts.enumerated() {
            json.append("\(index == 0 ? "" : ",")\"\(failure.label)\":\(failure.count)")
        }
        json.append("}}")
    }

    private static func append<Item>(
        _ items: [Item],
        to json: inout JSONWriter,
        _ body: (Item, inout JSONWriter) -> Void
    ) {
        json.append("[")
        for (index, item) in items.enumerated() {
            if index > 0 { json.append(",") }
            body(item, &json)
        }
        json.append("]")
    }
}
