// SPDX-License-Identifier: Apache-2.0
// What /metrics says of the event loops: how many take connections, and what each has.

import WeirEventLoop
import WeirMetrics

/// Reads the loops of a server.
enum LoopSamples {
    static func all(of server: HTTPServer) -> [MetricSample] {
        let taking = server.takingCount
        let connections = server.loops.map(\.openChannelCount)
        let leaving = connections.dropFirst(taking).count { $0 > 0 }
        return [
            MetricSample("weir_loops", "Event loops that take connections.", kind: .gauge, value: Double(taking)),
            MetricSample(
                "weir_loops_leaving",
                "Event loops that take no more connections, and still have some.",
                kind: .gauge,
                value: Double(leaving)
            ),
            // Of all loops, as what they hold is bounded together.
            MetricSample(
                "weir_buffer_limit_bytes",
                "Memory that may be held for connections; 0 for no limit.",
                kind: .gauge,
                value: Double(server.loopPlan.buffers.bytesBound ?? 0)
            ),
            MetricSample(
                "weir_socket_buffer_bytes",
                "What the kernel may hold for a TCP connection in each direction; 0 for what it finds itself.",
                kind: .gauge,
                value: Double(server.socketBytes)
            ),
        ]
            + connections.enumerated().map { index, count in
                MetricSample(
                    "weir_loop_connections_open",
                    "Connections of clients that an event loop has.",
                    kind: .gauge,
                    labels: [MetricLabel("loop", "\(index)")],
                    value: Double(count)
                )
            }
    }
}
