// SPDX-License-Identifier: Apache-2.0
// Writes metrics in the Prometheus text format 0.0.4. Runs on the admin thread; allocates.

/// A scrape's answer as it is put together: families in a fixed order, so that two scrapes can be compared.
package struct PrometheusText: Sendable {
    /// The media type of ``bytes``.
    package static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// What has been written: UTF-8.
    package private(set) var bytes: [UInt8] = []

    private var family = ""

    package init() {}

    /// Writes the sums over all shards.
    package mutating func write(shards: [MetricsShard], labels: RequestLabels) {
        for counter in CounterID.allCases {
            let sum = shards.reduce(UInt64(0)) { $0 &+ $1.value(counter) }
            write(counter.descriptor, kind: .counter, value: "\(sum)")
        }
        for gauge in GaugeID.allCases {
            let sum = shards.reduce(0) { $0 &+ $1.value(gauge) }
            write(gauge.descriptor, kind: .gauge, value: "\(sum)")
        }
        write(
            "weir_handler_stalls_total",
            "Times that a handler held a loop too long, by route.",
            MergedCells(shards.map(\.stalls.cells)) { labels.route($0.route) }
        )
        write(
            "weir_tagged_requests_total",
            "Requests of routes with tags, by route and tag; none for any other value.",
            MergedCells(shards.map(\.tags.cells), labels: labels.tagged)
        )
        writeRejections(CellReadings(shards.map(\.rejections.cells)), labels)
        writeStreams(CellReadings(shards.map(\.streams.cells)), labels)
        writeDurations(MergedCells(shards.map(\.durations.cells), labels: labels.labels))
        writeWaits(CellReadings(shards.map(\.waits.cells)), labels)
    }

    /// Writes metrics that live elsewhere.
    package mutating func write(samples: [MetricSample]) {
        for sample in samples {
            begin(family: sample.name, help: sample.help, type: sample.kind.rawValue)
            write(sample.name, sample.labels, value: Self.text(sample.value))
        }
    }

    private mutating func write(_ descriptor: MetricDescriptor, kind: MetricSample.Kind, value: String) {
        begin(family: descriptor.name, help: descriptor.help, type: kind.rawValue)
        write(descriptor.name, descriptor.label.map { [$0] } ?? [], value: value)
    }

    /// Writes a family of counters, one in each cell.
    private mutating func write(_ name: String, _ help: String, _ cells: MergedCells) {
        for cell in cells.all {
            begin(family: name, help: help, type: "counter")
            write(name, cell.labels, value: "\(cell.counters[0])")
        }
    }

    private mutating func writeDurations(_ cells: MergedCells) {
        for cell in cells.all {
            writeHistogram(
                "http_server_request_duration_seconds",
                "Time from a request's whole head to the end of its response.",
                cell.labels,
                cell.counters
            )
        }
    }

    private mutating func writeWaits(_ waits: CellReadings, _ labels: RequestLabels) {
        writeHistogram(
            "weir_queue_wait_seconds",
            "How long requests waited to run; those that did not are not here.",
            [],
            waits.sums(countersPerCell: DurationHistograms.sumCounter + 1)
        )
        for cell in MergedCells(waits, labels: { labels.route($0.route) }).all {
            writeHistogram(
                "weir_route_queue_wait_seconds",
                "How long requests of a route waited to run; those that did not are not here.",
                cell.labels,
                cell.counters
            )
        }
    }

    private mutating func writeHistogram(
        _ name: String,
        _ help: String,
        _ labels: [MetricLabel],
        _ counters: [UInt64]
    ) {
        begin(family: name, help: help, type: "histogram")
        var count: UInt64 = 0
        for (bucket, bound) in DurationBuckets.labels.enumerated() {
            count &+= counters[bucket]
            write("\(name)_bucket", labels + [MetricLabel("le", bound)], value: "\(count)")
        }
        write("\(name)_sum", labels, value: Self.seconds(counters[DurationHistograms.sumCounter]))
        // From the buckets and not a counter of its own: it must equal the last bucket in every scrape.
        write("\(name)_count", labels, value: "\(count)")
    }

    private mutating func writeRejections(_ rejections: CellReadings, _ labels: RequestLabels) {
        let help = "Requests turned away, by reason; deadline_exceeded is also in weir_timeouts_total."
        begin(family: "weir_rejected_total", help: help, type: "counter")
        for reason in RejectionReason.allCases {
            let sum = rejections.sums(countersPerCell: 1) { $0?.status == reason.rawValue }[0]
            write("weir_rejected_total", [MetricLabel("reason", reason.label)], value: "\(sum)")
        }
        let cells = MergedCells(rejections) { key in
            let reason = RejectionReason(rawValue: key.status).map { [MetricLabel("reason", $0.label)] } ?? []
            return labels.route(key.route) + reason
        }
        for cell in cells.all where cell.counters[0] != 0 {
            begin(
                family: "weir_route_rejected_total",
                help: "Requests turned away, by route and reason; without a route those that met none.",
                type: "counter"
            )
            write("weir_route_rejected_total", cell.labels, value: "\(cell.counters[0])")
        }
    }

    private mutating func writeStreams(_ streams: CellReadings, _ labels: RequestLabels) {
        // Wraps round to what there are now: a cell counts one fewer by its greatest number.
        func text(_ count: UInt64) -> String { "\(Int64(bitPattern: count))" }
        let help = "Tunnels, and responses that still flow after their deadline."
        begin(family: "weir_streams_active", help: help, type: "gauge")
        write("weir_streams_active", [], value: text(streams.sums(countersPerCell: 1)[0]))
        for cell in MergedCells(streams, labels: { labels.route($0.route) }).all {
            begin(family: "weir_route_streams_active", help: "The same, by route.", type: "gauge")
            write("weir_route_streams_active", cell.labels, value: text(cell.counters[0]))
        }
    }

    /// Writes the head of a family, unless its last line belongs to the same.
    private mutating func begin(family name: String, help: String, type: String) {
        if family == name { return }
        family = name
        append("# HELP \(name) ")
        appendEscaped(help, quotes: false)
        append("\n# TYPE \(name) \(type)\n")
    }

    private mutating func write(_ name: String, _ labels: [MetricLabel], value: String) {
        append(name)
        for (index, label) in labels.enumerated() {
            append(index == 0 ? "{" : ",")
            append("\(label.name)=\"")
            appendEscaped(label.value, quotes: true)
            append("\"")
        }
        append(labels.isEmpty ? " \(value)\n" : "} \(value)\n")
    }

    private mutating func append(_ text: String) {
        bytes.append(contentsOf: text.utf8)
    }

    /// Backslashes and line ends are escaped everywhere, quotes in label values only.
    private mutating func appendEscaped(_ text: String, quotes: Bool) {
        for byte in text.utf8 {
            switch byte {
            case UInt8(ascii: "\\"): append("\\\\")
            case UInt8(ascii: "\n"): append("\\n")
            case UInt8(ascii: "\"") where quotes: append("\\\"")
            default: bytes.append(byte)
            }
        }
    }

    /// Nanoseconds in seconds, exactly.
    private static func seconds(_ nanoseconds: UInt64) -> String {
        let (whole, fraction) = nanoseconds.quotientAndRemainder(dividingBy: 1_000_000_000)
        if fraction == 0 { return "\(whole)" }
        let digits = "\(fraction)"
        return "\(whole)." + String(repeating: "0", count: 9 - digits.count) + digits
    }

    private static func text(_ value: Double) -> String {
        if value.isNaN { return "NaN" }
        if value.isInfinite { return value < 0 ? "-Inf" : "+Inf" }
        return Int(exactly: value).map { "\($0)" } ?? "\(value)"
    }
}
