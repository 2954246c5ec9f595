// SPDX-License-Identifier: Apache-2.0
// A scrape that tests can ask questions of.

import WeirMetrics

/// The text of one scrape, with routes named `/<index>`.
struct Exposition {
    let text: String

    init(shards: [MetricsShard]) {
        var writer = PrometheusText()
        let labels = RequestLabels(methods: ["GET", "HEAD", "POST", ""]) { $0 < 0 ? nil : "/\($0)" }
        writer.write(shards: shards, labels: labels)
        text = String(decoding: writer.bytes, as: UTF8.self)
    }

    /// The lines whose metric name and labels begin so, in order, without their values.
    func values(_ prefix: String) -> [(series: String, value: String)] {
        text.split(separator: "\n").filter { $0.hasPrefix(prefix) }.map { line in
            let parts = line.split(separator: " ")
            return (String(parts[0]), String(parts[1]))
        }
    }

    /// The requests in all duration histograms.
    var requestCount: Int {
        values("http_server_request_duration_seconds_count").reduce(0) { $0 + (Int($1.value) ?? 0) }
    }
}
