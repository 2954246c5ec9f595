// SPDX-License-Identifier: Apache-2.0
// What /metrics says of a fixed counter or gauge: its family's name and help, and its label within the family.

/// How one fixed metric is exposed.
package struct MetricDescriptor: Sendable, Equatable {
    /// The family's name: prefix `weir_`, base units, `_total` for counters.
    package let name: String

    /// One line for people.
    package let help: String

    /// The label that tells the members of a family apart.
    package let label: MetricLabel?

    init(_ name: String, _ help: String, label: MetricLabel? = nil) {
        self.name = name
        self.help = help
        self.label = label
    }
}

extension GaugeID {
    /// How the gauge is exposed.
    package var descriptor: MetricDescriptor {
        switch self {
        case .connectionsOpen:
            MetricDescriptor("weir_connections_open", "Open client connections.")
        case .bufferBytes:
            MetricDescriptor("weir_buffer_bytes", "Memory held for connections: buffers, and what is kept of bodies.")
        case .tunnelsActive:
            MetricDescriptor("weir_tunnels_active", "Tunnels: connections that a request has upgraded.")
        case .redisConnected:
            MetricDescriptor("weir_redis_connected", "Loops whose connection to Redis is ready.")
        }
    }
}

extension CounterID {
    /// How the counter is exposed.
    package var descriptor: MetricDescriptor {
        switch self {
        case .connectionsAccepted:
            MetricDescriptor("weir_connections_accepted_total", "Connections accepted.")
        case .connectionsClosed:
            MetricDescriptor("weir_connections_closed_total", "Connections closed, for any reason.")
        case .connectionsHandedOver:
            MetricDescriptor("weir_connections_handed_over_total", "Connections that a loop handed to another.")
        case .connectionsReset:
            MetricDescriptor("weir_connections_reset_total", "Connections that the client reset.")
        case .connectionsShed:
            MetricDescriptor(
                "weir_connections_shed_total",
                "Idle connections closed because file descriptors ran short."
            )
        case .connectionsRetired:
            MetricDescriptor(
                "weir_connections_retired_total",
                "Connections ended because of their age, or because their loop leaves."
            )
        case .acceptFailures:
            MetricDescriptor("weir_accept_failures_total", "Failed attempts to accept a connection.")
        case .acceptPauses:
            MetricDescriptor("weir_accept_pauses_total", "Times that a loop stopped accepting for want of resources.")
        case .receivedBytes:
            MetricDescriptor("weir_received_bytes_total", "Bytes received from clients.")
        case .sentBytes:
            MetricDescriptor("weir_sent_bytes_total", "Bytes sent to clients.")
        case .requests:
            MetricDescriptor("weir_requests_total", "Requests whose head was read.")
        case .requestsCancelled:
            MetricDescriptor("weir_requests_cancelled_total", "Requests whose client left before the response.")
        case .parseFault400: parseFault("400")
        case .parseFault413: parseFault("413")
        case .parseFault414: parseFault("414")
        case .parseFault417: parseFault("417")
        case .parseFault431: parseFault("431")
        case .parseFault501: parseFault("501")
        case .parseFault505: parseFault("505")
        case .timeoutsHead: timeout("head")
        case .timeoutsBody: timeout("body")
        case .timeoutsKeepAlive: timeout("keepalive")
        case .timeoutsWrite: timeout("write")
        case .timeoutsDeadline: timeout("deadline")
        case .timeoutsTunnel: timeout("tunnel")
        case .timeoutsHandshake: timeout("handshake")
        case .handshakes: handshakes("false")
        case .handshakesResumed: handshakes("true")
        case .handshakesDelayed:
            MetricDescriptor(
                "weir_tls_handshakes_delayed_total",
                "TLS handshakes that had to wait for a later turn because others came before them."
            )
        case .handshakeFailuresPlainHTTP: handshakeFailure("plain_http")
        case .handshakeFailuresVersion: handshakeFailure("version")
        case .handshakeFailuresParameters: handshakeFailure("parameters")
        case .handshakeFailuresApplication: handshakeFailure("application_protocol")
        case .handshakeFailuresAlert: handshakeFailure("alert")
        case .handshakeFailuresCertificate: handshakeFailure("certificate")
        case .handshakeFailuresMalformed: handshakeFailure("malformed")
        case .handshakeFailuresClosed: handshakeFailure("closed")
        case .secureFloods:
            MetricDescriptor(
                "weir_tls_floods_total",
                "Connections ended because clients sent messages of TLS itself again and again, and nothing else."
            )
        case .earlyRequests:
            MetricDescriptor("weir_tls_early_requests_total", "Requests that came before their TLS handshake was done.")
        case .streamsCut:
            MetricDescriptor(
                "weir_streams_cut_total",
                "Responses cut off at their deadline because as many streams as may be were flowing."
            )
        case .upstreamRetries:
            MetricDescriptor("weir_upstream_retries_total", "Requests sent to an endpoint again, or to another one.")
        case .redisChecks:
            MetricDescriptor("weir_redis_checks_total", "Rate limit checks sent to Redis.")
        case .redisFallbacksAway: redisFallback("away")
        case .redisFallbacksSlow: redisFallback("slow")
        case .redisFallbacksFull: redisFallback("full")
        case .redisFallbacksLongKey: redisFallback("long_key")
        case .redisConnects:
            MetricDescriptor("weir_redis_connects_total", "Connections to Redis that were made.")
        case .handlerErrors:
            MetricDescriptor("weir_handler_errors_total", "Errors that handlers threw and no response was made of.")
        case .jobsRun:
            MetricDescriptor("weir_jobs_run_total", "Steps of tasks that event loops ran.")
        case .loopTurns:
            MetricDescriptor("weir_loop_turns_total", "Turns of the event loops.")
        }
    }

    private func parseFault(_ status: String) -> MetricDescriptor {
        MetricDescriptor(
            "weir_parse_faults_total",
            "Requests refused while they were read, by response status.",
            label: MetricLabel("status", status)
        )
    }

    private func timeout(_ kind: String) -> MetricDescriptor {
        MetricDescriptor(
            "weir_timeouts_total",
            "Timeouts that ran out, by what was waited for; a deadline is also in weir_rejected_total.",
            label: MetricLabel("kind", kind)
        )
    }

    private func handshakes(_ resumed: String) -> MetricDescriptor {
        MetricDescriptor(
            "weir_tls_handshakes_total",
            "TLS handshakes of clients that were completed, by whether a former session was resumed.",
            label: MetricLabel("resumed", resumed)
        )
    }

    private func handshakeFailure(_ reason: String) -> MetricDescriptor {
        MetricDescriptor(
            "weir_tls_handshake_failures_total",
            "TLS handshakes of clients that failed, by reason; those that took too long are in weir_timeouts_total.",
            label: MetricLabel("reason", reason)
        )
    }

    private func redisFallback(_ reason: String) -> MetricDescriptor {
        MetricDescriptor(
            "weir_redis_fallbacks_total",
            "Rate limit checks that Redis did not answer and the local share did, by reason.",
            label: MetricLabel("reason", reason)
        )
    }
}
