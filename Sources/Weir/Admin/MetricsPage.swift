// SPDX-License-Identifier: Apache-2.0
// /metrics: what the loops' shards, the engine, the endpoints and the process count, as Prometheus text.

import WeirEventLoop
import WeirHTTP
import WeirHost
import WeirMetrics
import WeirUpstream

/// Puts a scrape's answer together.
struct MetricsPage {
    let server: HTTPServer
    let workers: WorkerPool
    let log: LogOutput?
    let accessLog: AccessLog?
    let registry: HealthRegistry
    /// Nil for an app whose configuration is not read anew.
    let reloads: ReloadStatus?
    let tlsClients: UpstreamTLSClients
    let appSamples: @Sendable () -> [MetricSample]
    let pressure = HostPressure()

    func response() -> Response {
        var text = PrometheusText()
        let snapshot = server.snapshot
        text.write(
            shards: server.shards,
            labels: RequestLabels(methods: HTTPMethod.allCases.map { "\($0.name)" }) { index in
                snapshot.names.name(at: Int(index))
            }
        )
        if let flow = server.shared.flow {
            text.write(samples: FlowSamples.all(of: flow, now: LoopClock.monotonic.now))
            text.write(samples: GuardSamples.all(of: flow.guards))
        }
        let shared =
            LoopSamples.all(of: server) + server.shared.background.samples + EndpointSamples.all(of: snapshot.upstreams)
            + RegistrySamples.all(of: registry)
            + HealthSamples.all(of: snapshot.upstreams)
            + DiscoverySamples.all(of: snapshot.upstreams.compactMap { $0.report.source?.counts })
            + HandshakeSamples.all(of: snapshot.upstreams)
        let machine = Self.processSamples + PressureSamples.all(of: pressure.read())
        let tls = (server.shared.tls?.samples ?? []) + tlsClients.samples
        text.write(samples: engineSamples + shared + tls + (reloads?.samples ?? []) + machine + appSamples())
        return .bytes(text.bytes, contentType: PrometheusText.contentType)
    }

    private var engineSamples: [MetricSample] {
        var samples = [
            MetricSample(
                "weir_build_info",
                "The version that runs; always 1.",
                kind: .gauge,
                labels: [MetricLabel("version", WeirVersion.text)],
                value: 1
            ),
            MetricSample("weir_workers", "Worker threads that live.", kind: .gauge, value: Double(workers.workerCount)),
            MetricSample(
                "weir_workers_limit",
                "The most worker threads.",
                kind: .gauge,
                value: Double(workers.workersMax)
            ),
            MetricSample(
                "weir_workers_queued",
                "Jobs that wait for a worker.",
                kind: .gauge,
                value: Double(workers.queuedCount)
            ),
        ]
        if let log {
            samples.append(
                MetricSample(
                    "weir_log_lines_dropped_total",
                    "Log lines that were dropped because the log was not read fast enough.",
                    kind: .counter,
                    value: Double(log.droppedLines)
                )
            )
        }
        if let accessLog {
            samples.append(
                MetricSample(
                    "weir_access_log_lines_dropped_total",
                    "Lines of the access log that were dropped because they were not written fast enough.",
                    kind: .counter,
                    value: Double(accessLog.droppedLines)
                )
            )
        }
        return samples
    }

    private static var processSamples: [MetricSample] {
        let usage = ProcessUsage.read()
        var samples: [MetricSample] = []
        func add(_ name: String, _ help: String, _ kind: MetricSample.Kind, _ value: Double?) {
            if let value { samples.append(MetricSample(name, help, kind: kind, value: value)) }
        }
        add("process_cpu_seconds_total", "User and system CPU time.", .counter, usage.cpuSeconds)
        add("process_resident_memory_bytes", "Resident memory.", .gauge, usage.residentBytes.map(Double.init))
        add("process_open_fds", "Open file descriptors.", .gauge, usage.openDescriptors.map(Double.init))
        add("process_max_fds", "The most file descriptors.", .gauge, Double(usage.descriptorsMax))
        add("process_start_time_seconds", "Start of the process, Unix time.", .gauge, usage.startTimeSeconds)
        return samples
    }
}
