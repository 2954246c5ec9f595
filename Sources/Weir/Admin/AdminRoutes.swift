// SPDX-License-Identifier: Apache-2.0
// The admin port: probes and metrics, on a loop of its own, so that it answers whatever the service does.

import WeirEventLoop
import WeirHTTP
import WeirHost
import WeirMetrics
import WeirRouting

/// Makes the routes of the admin port.
struct AdminRoutes {
    let server: HTTPServer
    let health: EngineHealth
    let workers: WorkerPool
    let log: LogOutput?
    let accessLog: AccessLog?
    let snapshot: Snapshot

    func compile() throws(AppError) -> Snapshot {
        let livez: Handler.Synchronous = { [health] _, _ in Self.livez(health) }
        let readyz: Handler.Synchronous = { [health] _, _ in
            health.isReady ? .text("ready\n") : .text("not ready\n", status: .serviceUnavailable)
        }
        let metrics: Handler.Synchronous = { [self] _, _ in self.metrics() }
        let pages: [(String, Handler.Synchronous)] = [("/livez", livez), ("/readyz", readyz), ("/metrics", metrics)]
        let declared = pages.map { pattern, handler in
            DeclaredRoute(
                method: .get,
                pattern: pattern,
                handler: .loop(handler),
                properties: RouteProperties()
            )
        }
        return try DeclaredRoutes(declared).snapshot(Settings())
    }

    private static func livez(_ health: EngineHealth) -> Response {
        let stuck = health.stuckLoops
        guard !stuck.isEmpty else { return .text("alive\n") }
        let lines = stuck.map { "loop \($0.index) has not turned for \($0.seconds) s\n" }
        return .text(lines.joined(), status: .serviceUnavailable)
    }

    private func metrics() -> Response {
        var text = PrometheusText()
        let routes = snapshot.routes
        text.write(
            shards: server.shards,
            labels: RequestLabels(methods: HTTPMethod.allCases.map { "\($0.name)" }) { index in
                routes.indices.contains(Int(index)) ? routes[Int(index)].pattern : nil
            }
        )
        text.write(samples: engineSamples + Self.processSamples)
        return .bytes(text.bytes, contentType: PrometheusText.contentType)
    }

    private var engineSamples: [MetricSample] {
        var samples = [
            MetricSample("weir_loops", "Event loops.", kind: .gauge, value: Double(server.loops.count)),
            MetricSample("weir_workers", "Worker threads that live.", kind: .gauge, value: Double(workers.workerCount)),
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
