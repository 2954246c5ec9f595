// SPDX-License-Identifier: Apache-2.0
// The one table of all settings. Parsing, errors, "did you mean", docs/configuration.md and `/config` come from it.

import WeirTLS

extension Settings {
    /// All settings, in the order in which they are documented and checked.
    package static let table: [Setting] = [
        fileRows, addressRows, tlsRows, upstreamRows, upstreamTLSRows, guardRows, clientRows, rateLimitRows,
        admissionRows, threadRows, timeRows, limitRows, timeoutRows, connectionRows, logRows,
    ].flatMap { $0 }

    private static let fileRows = [
        Setting(
            "WEIR_CONFIG",
            \.configurationFile,
            .path,
            "The gateway's [configuration file](#the-file), with routes and upstreams; a variable overrides its settings"
        )
    ]

    private static let guardRows = [
        Setting(
            "WEIR_BASELINE",
            \.baselineFolder,
            .path,
            "The folder in which [baselines](guard.md) are kept, a file for each version",
            seenIn: "`weir_guard_learning`"
        ),
        Setting(
            "WEIR_BASELINE_VERSION",
            \.baselineVersion,
            .version,
            "The version of the service whose baseline is learnt and compared with",
            seenIn: "`weir_guard_ratio`"
        ),
    ]

    private static let addressRows = [
        Setting(
            "WEIR_LISTEN",
            \.listen,
            .addresses(offAllowed: false),
            "Where requests are taken; `:8080` is all addresses, IPv4 and IPv6",
            seenIn: "`weir_connections_accepted_total`"
        ),
        Setting(
            "WEIR_ADMIN_LISTEN",
            \.adminListen,
            .addresses(offAllowed: true),
            "Where probes, metrics and the other admin pages are answered"
        ),
    ]

    private static let tlsRows = [
        Setting(
            "WEIR_TLS_CERT",
            \.tls.certificates,
            .paths(),
            "PEM files with the certificates of [TLS addresses](tls.md), each with its chain; chosen by the host asked for",
            seenIn: "`weir_tls_handshakes_total`"
        ),
        Setting("WEIR_TLS_KEY", \.tls.keys, .paths(), "PEM files with their private keys, in the same order"),
        Setting(
            "WEIR_TLS_OCSP",
            \.tls.staples,
            .paths(),
            "DER files with what the CAs say of the certificates, in the same order, `-` for none; shown to clients (stapling)",
            seenIn: "`weir_tls_ocsp_expiry_seconds`"
        ),
        Setting(
            "WEIR_TLS_TICKET_KEYS",
            \.tls.ticketKeys,
            .paths(atMost: TicketKeys.keysMax),
            "Files of 80 random bytes by which sessions are resumed, also those of other replicas; without, each has its own",
            seenIn: #"`weir_tls_handshakes_total{resumed="true"}`"#
        ),
        Setting("WEIR_TLS_MIN", \.tls.lowest, .choice, "The lowest version of TLS that is spoken"),
        Setting(
            "WEIR_TLS_CLIENT",
            \.tls.clients,
            .choice,
            "Whether clients are asked for certificates; they go on as `X-Forwarded-Client-Cert`",
            seenIn: #"`weir_tls_handshake_failures_total{reason="certificate"}`"#
        ),
        Setting(
            "WEIR_TLS_CLIENT_CA",
            \.tls.clientAuthorities,
            .path,
            "A PEM file with the CAs, one of which must have signed a client's certificate"
        ),
        Setting(
            "WEIR_TLS_HANDSHAKE_TIMEOUT",
            \.tls.handshakeTimeout,
            .duration(phaseRange),
            "How long a TLS handshake may take; then the connection is closed",
            seenIn: #"`weir_timeouts_total{kind="handshake"}`"#
        ),
        Setting(
            "WEIR_TLS_REDIRECT",
            \.tls.redirectPort,
            .number(0...65_535),
            "The port of https to which requests without TLS are sent by 308; 0 serves them",
            seenIn: #"`http_server_request_duration_seconds{status="308"}`"#
        ),
        Setting(
            "WEIR_TLS_EARLY_DATA",
            \.tls.takesEarlyData,
            .flag,
            "Whether requests that change nothing are taken [before the handshake is done](tls.md#early-data) (0-RTT)",
            seenIn: "`weir_tls_early_requests_total`"
        ),
        Setting(
            "WEIR_TLS_HSTS",
            \.tls.strictTransport,
            .strictTransport,
            "What answers over TLS tell browsers in `Strict-Transport-Security`, so that they come by https alone"
        ),
        Setting(
            "WEIR_TLS_HANDSHAKES",
            \.tls.handshakesPerTurn,
            .number(1...1000),
            "The most TLS handshakes that a loop works on before it looks at its other connections again",
            seenIn: "`weir_tls_handshakes_delayed_total`"
        ),
    ]

    private static let upstreamRows = [
        Setting(
            "WEIR_UPSTREAM",
            \.upstream.endpoints,
            .endpoints,
            "Where requests are passed on to, in turn: `http://10.0.0.1:8080;weight=3`, `https://shop.svc`, `unix:/run/a.sock`; "
                + "or where that is found out: `k8s://shop/orders:http`",
            seenIn: "`weir_upstream_requests_total`",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_CONNECTIONS",
            \.upstream.connectionsMax,
            .number(1...1_000_000),
            "The most connections to one endpoint; requests beyond wait for one",
            seenIn: "`weir_upstream_connections`",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_WAITING",
            \.upstream.waitingMax,
            .number(0...1_000_000),
            "The most requests of one loop that wait for a connection; one more is answered 503",
            seenIn: #"`weir_rejected_total{reason="no_endpoint"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_CONNECT_TIMEOUT",
            \.upstream.connectTimeout,
            .duration(.milliseconds(10) ... .seconds(60)),
            "How long making a connection may take; then the next endpoint is tried",
            seenIn: #"`weir_upstream_failures_total{reason="connect_timeout"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_IDLE_TIMEOUT",
            \.upstream.idleTimeout,
            .duration(phaseRange),
            "How long an unused connection to an endpoint is kept",
            seenIn: "`weir_upstream_connections`",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_TRANSFER_TIMEOUT",
            \.upstream.transferTimeout,
            .duration(phaseRange),
            "How long an endpoint may neither send nor take anything in the middle of a body",
            seenIn: #"`weir_upstream_failures_total{reason="timeout"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_HEADER_BYTES",
            \.upstream.headerBytes,
            .size(1 << 10...256 << 10),
            "The most bytes of header fields in a response of an endpoint; more is answered 502",
            seenIn: #"`weir_upstream_failures_total{reason="malformed"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_HEADER_FIELDS",
            \.upstream.headerFields,
            .number(8...1000),
            "The most header fields in a response of an endpoint; more is answered 502",
            seenIn: #"`weir_upstream_failures_total{reason="malformed"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_PROXY_PROTOCOL",
            \.upstream.proxyProtocol,
            .choice,
            "The PROXY protocol's version that begins each connection to an endpoint, which then serves one request",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_BALANCE",
            \.upstream.balance,
            .choice,
            "How an endpoint is chosen: the sooner of two, in turn by weight, the same for a client, or the first that can",
            seenIn: "`weir_upstream_requests_total`"
        ),
        Setting(
            "WEIR_DNS_SERVERS",
            \.upstream.dnsServers,
            .nameServers,
            "The name servers that are asked for names of endpoints, instead of the system's: `10.0.0.10,[fd00::10]:53`",
            seenIn: #"`weir_discovery_updates_total{provider="dns"}`"#
        ),
        Setting(
            "WEIR_CONSUL_TOKEN",
            \.upstream.consulToken,
            .secret,
            "What Consul servers that are asked for endpoints are shown as `X-Consul-Token`",
            seenIn: #"`weir_discovery_updates_total{provider="consul"}`"#,
            isSecret: true
        ),
        Setting(
            "WEIR_CONSUL_TLS_CA",
            \.upstream.consulTLS.authorities,
            .path,
            "A PEM file with certificates, one of which must have signed that of a Consul server (`consul+https://`)",
            seenIn: #"`weir_discovery_updates_total{provider="consul"}`"#
        ),
        Setting(
            "WEIR_CONSUL_TLS_SERVER_NAME",
            \.upstream.consulTLS.serverName,
            .serverName,
            "What a Consul server's certificate must be for, instead of its host: `server.dc1.consul`"
        ),
        Setting(
            "WEIR_CONSUL_TLS_CERT",
            \.upstream.consulTLS.certificate,
            .path,
            "A PEM file with what Consul servers are shown that ask for a certificate, with its chain"
        ),
        Setting("WEIR_CONSUL_TLS_KEY", \.upstream.consulTLS.key, .path, "A PEM file with its private key"),
        Setting(
            "WEIR_KUBERNETES_API",
            \.upstream.kubernetesAPI,
            .apiServer,
            "The Kubernetes API server that services are found by (`k8s://`): `http://127.0.0.1:8001` of `kubectl proxy`; "
                + "without, the one that the kubelet tells",
            seenIn: #"`weir_discovery_updates_total{provider="kubernetes"}`"#
        ),
        Setting(
            "WEIR_KUBERNETES_ACCOUNT",
            \.upstream.kubernetesAccount,
            .path,
            "The folder of the service account that the API server is asked by, where it is not the kubelet's"
        ),
        Setting(
            "WEIR_ZONE",
            \.upstream.zone,
            .zone,
            "The zone that this process runs in: endpoints that are for other zones alone are left out"
        ),
        Setting(
            "WEIR_STREAMS",
            \.streamsMax,
            .count(1...10_000_000),
            "The most responses that still flow when their deadline has passed; one more is cut off",
            seenIn: "`weir_streams_active`"
        ),
        Setting(
            "WEIR_TUNNELS",
            \.tunnelsMax,
            .count(0...10_000_000),
            "The most tunnels (WebSocket and other upgrades); one more is answered 503",
            seenIn: "`weir_tunnels_active`"
        ),
        Setting(
            "WEIR_TUNNEL_TIMEOUT",
            \.tunnelTimeout,
            .duration(.milliseconds(10) ... .seconds(86400)),
            "How long neither side of a tunnel may send anything",
            seenIn: #"`weir_timeouts_total{kind="tunnel"}`"#
        ),
    ]

    private static let upstreamTLSRows = [
        Setting(
            "WEIR_UPSTREAM_TLS_CA",
            \.upstream.tls.authorities,
            .path,
            "A PEM file with certificates, one of which must have signed that of an [https endpoint](tls.md#upstreams)",
            seenIn: #"`weir_upstream_tls_handshake_failures_total{reason="unknown_issuer"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_TLS_SERVER_NAME",
            \.upstream.tls.serverName,
            .serverName,
            "What endpoints' certificates must be for and endpoints are asked by, instead of their hosts",
            seenIn: #"`weir_upstream_tls_handshake_failures_total{reason="wrong_name"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_TLS_CERT",
            \.upstream.tls.certificate,
            .path,
            "A PEM file with what endpoints are shown that ask for a certificate, with its chain",
            seenIn: "`weir_upstream_tls_certificate_expiry_seconds`",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_TLS_KEY",
            \.upstream.tls.key,
            .path,
            "A PEM file with its private key",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_TLS_VERIFY",
            \.upstream.tls.verifies,
            .flag,
            "Whether endpoints' certificates are looked at",
            isReloaded: true
        ),
        Setting(
            "WEIR_UPSTREAM_TLS_MIN",
            \.upstream.tls.lowest,
            .choice,
            "The lowest version of TLS that is spoken with endpoints",
            seenIn: #"`weir_upstream_tls_handshake_failures_total{reason="version"}`"#,
            isReloaded: true
        ),
    ]

    private static let clientRows = [
        Setting(
            "WEIR_TRUSTED_PROXIES",
            \.trustedProxies,
            .networks,
            "Peers whose word about the client counts: blocks such as `10.0.0.0/8`, and `loopback`, `private`, `unix`"
        ),
        Setting(
            "WEIR_PROXY_PROTOCOL",
            \.takesProxyProtocol,
            .flag,
            "Whether connections of trusted proxies begin with a header of the PROXY protocol"
        ),
        Setting(
            "WEIR_ADMIN_TOKEN",
            \.adminToken,
            .secret,
            "What `/reload`, registrations, and `/drain` from beyond loopback must show as `Authorization: Bearer`, "
                + "registrations also as `X-Consul-Token`; without it only loopback may",
            isSecret: true
        ),
    ]

    private static let rateLimitRows = [
        Setting(
            "WEIR_RATE_LIMIT",
            \.rateLimiting.limits,
            .rateLimits,
            "How many requests are let through in a time: `100/s;burst=20;by=client`; more are answered 429",
            seenIn: #"`weir_rejected_total{reason="rate_limited"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_RATE_LIMIT_TABLE",
            \.rateLimiting.tableBytes,
            .sizeOrAuto(4 << 10...1 << 30),
            "The memory of each limit that has a key: 16 bytes for each key that is limited at a time; `auto` is 1 MiB, or "
                + "1/256 of the pod's memory if that is less",
            seenIn: "`weir_rate_limit_keys`, `weir_rate_limit_evictions_total`",
            isReloaded: true
        ),
        Setting(
            "WEIR_RATE_LIMIT_FIELDS",
            \.rateLimiting.writesFields,
            .flag,
            "Whether answers that are not refusals have `RateLimit` and `RateLimit-Policy` too",
            isReloaded: true
        ),
        Setting(
            "WEIR_RATE_LIMIT_SCOPE",
            \.rateLimiting.scope,
            .choice,
            "Whether limits are for each pod, or for the cluster: counted in `WEIR_REDIS`, else divided by `WEIR_REPLICAS`"
        ),
        Setting(
            "WEIR_REPLICAS",
            \.rateLimiting.replicas,
            .replicas,
            "How many replicas share a limit of the cluster, or the Kubernetes Service whose ready pods they are: "
                + "`k8s://shop/weir`",
            isReloaded: true
        ),
        Setting(
            "WEIR_REDIS",
            \.rateLimiting.redis,
            .storePlace,
            "Where limits of the cluster are counted: `redis://user:password@host:6379/0` or `unix:/run/redis.sock`",
            seenIn: "`weir_redis_connected`, `weir_redis_checks_total`"
        ),
        Setting(
            "WEIR_REDIS_BUDGET",
            \.rateLimiting.redisBudget,
            .duration(.milliseconds(1) ... .seconds(1)),
            "How long Redis may take to answer for a request; then this replica's share of the limit decides",
            seenIn: #"`weir_redis_fallbacks_total{reason="slow"}`"#
        ),
    ]

    private static let admissionRows = [
        Setting(
            "WEIR_CONCURRENCY",
            \.admission.concurrency,
            .concurrency(1...Admission.countMax),
            "How many requests run at once; `256/cpu` is for each CPU of the budget, `auto` finds it from the latency",
            seenIn: "`weir_concurrency_limit`, `weir_requests_executing`",
            isReloaded: true
        ),
        Setting(
            "WEIR_QUEUE",
            \.admission.queueMax,
            .count(0...Admission.countMax),
            "How many requests wait to run; one more is answered 503. `auto` is 4 for each that may run, at most 1000000; "
                + "where that is `auto` too, at least 16 for each CPU",
            seenIn: "`weir_queue_limit`, `weir_requests_queued`",
            isReloaded: true
        ),
        Setting(
            "WEIR_PRIORITY_HEADER",
            \.admission.priorityHeader,
            .fieldName,
            "The field that says a request's class: `critical`, `default`, `sheddable`; only trusted proxies may raise it"
        ),
        Setting(
            "WEIR_SIGNAL_WINDOW",
            \.admission.signalWindow,
            .duration(.seconds(1) ... .seconds(600)),
            "Over what time the utilization is taken",
            seenIn: "`weir_utilization_ratio`"
        ),
        Setting(
            "WEIR_PEAK_WINDOW",
            \.admission.peakWindow,
            .duration(.seconds(1) ... .seconds(3600)),
            "For how long a peak of the queue is shown; at least the interval of the scrapes",
            seenIn: "`weir_requests_queued_peak`"
        ),
        Setting(
            "WEIR_MEMORY_SHED",
            \.admission.memoryShedPercent,
            .number(10...100, unit: "percent"),
            "Share of the pod's memory limit above which sheddable requests are turned away",
            seenIn: #"`weir_rejected_total{reason="memory"}`"#
        ),
        Setting(
            "WEIR_MEMORY_CRITICAL",
            \.admission.memoryCriticalPercent,
            .number(10...100, unit: "percent"),
            "Share of the pod's memory limit above which all requests are turned away, but for those of health routes",
            seenIn: #"`weir_rejected_total{reason="memory"}`"#
        ),
    ]

    private static let threadRows = [
        Setting(
            "WEIR_CPU_REQUEST",
            \.cpuRequest,
            .cpus,
            "The pod's CPU request, which is its [budget](budget.md) where its CPU time has no limit: `500m`, `2`, `0.5`"
        ),
        Setting(
            "WEIR_CPU_ROUNDING",
            \.cpuRounding,
            .choice,
            "What becomes of a part of a CPU of the [budget](budget.md) when loops are counted; never below one",
            seenIn: "`weir_loops`"
        ),
        Setting(
            "WEIR_LOOPS",
            \.loops,
            .count(1...256),
            "Event loops; `auto` is one for each CPU of the pod's budget, also when that changes",
            seenIn: "`weir_loops`"
        ),
        Setting("WEIR_PIN", \.pinsLoops, .flag, "Whether each loop is bound to one CPU"),
        Setting(
            "WEIR_LOOP_STALL",
            \.loopStall,
            .duration(.milliseconds(1) ... .seconds(10)),
            "A handler that holds a loop longer is logged and counted",
            seenIn: "`weir_handler_stalls_total`"
        ),
        Setting(
            "WEIR_LOOP_STUCK",
            \.loopStuck,
            .duration(.seconds(1) ... .seconds(600)),
            "A loop that stands still longer fails the liveness probe"
        ),
        Setting(
            "WEIR_WORKERS",
            \.workersMax,
            .count(1...4096),
            "The most threads for blocking handlers; `auto` is the larger of 8 and 4 for each CPU of the budget",
            seenIn: "`weir_workers_limit`, `weir_workers`"
        ),
        Setting(
            "WEIR_WORKERS_MIN",
            \.workersMin,
            .number(1...4096),
            "The threads for blocking handlers that are kept when idle",
            seenIn: "`weir_workers`"
        ),
        Setting(
            "WEIR_WORKERS_QUEUE",
            \.workersQueueMax,
            .number(1...1_048_576),
            "The most jobs that wait for a worker; one more is answered 503",
            seenIn: #"`weir_rejected_total{reason="queue_full"}`"#
        ),
        Setting(
            "WEIR_WORKERS_IDLE",
            \.workersIdle,
            .duration(.seconds(1) ... .seconds(3600)),
            "How long a worker above the least number stays idle before it ends",
            seenIn: "`weir_workers`"
        ),
        Setting(
            "WEIR_BACKGROUND_TASKS",
            \.backgroundTasksMax,
            .count(1...4096),
            "The most background work that runs at once; `auto` is half the workers",
            seenIn: "`weir_background_running`"
        ),
        Setting(
            "WEIR_BACKGROUND_QUEUE",
            \.backgroundQueueMax,
            .number(1...1_048_576),
            "The most background work that has not begun; a handler that leaves more is told, and may answer 503",
            seenIn: #"`weir_background_queued`, `weir_background_total{outcome="refused"}`"#
        ),
    ]

    private static let timeRows = [
        Setting(
            "WEIR_DEADLINE",
            \.deadline,
            .duration(.milliseconds(1) ... .seconds(3600)),
            "Within what time a response's head must be there, from the end of a body that took longer; else 504",
            seenIn: #"`weir_rejected_total{reason="deadline_exceeded"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_DEADLINE_HEADER",
            \.deadlineHeader,
            .fieldName,
            "A field that says how long the client still waits: `250ms`, `1.5s`, or milliseconds; sent on to endpoints"
        ),
        Setting(
            "WEIR_TAG_HEADER",
            \.tagHeader,
            .fieldName,
            "A field that says a request's traffic tag; what a handler asks of upstreams has the same. A gateway passes "
                + "it on without a word"
        ),
        Setting(
            "WEIR_DRAIN_DELAY",
            \.drainDelay,
            .duration(.zero ... .seconds(600)),
            "How long requests are still taken after the stop signal, while load balancers notice"
        ),
        Setting(
            "WEIR_DRAIN_TIMEOUT",
            \.drainTimeout,
            .duration(.zero ... .seconds(3600)),
            "When connections are closed at the latest, from the stop signal on; not below `WEIR_DRAIN_DELAY`"
        ),
    ]

    private static let limitRows = [
        Setting(
            "WEIR_REQUEST_LINE_BYTES",
            \.limits.requestLineBytes,
            .size(256...64 << 10),
            "The longest request line; longer is answered 414",
            seenIn: #"`weir_parse_faults_total{status="414"}`"#
        ),
        Setting(
            "WEIR_HEADER_BYTES",
            \.limits.headerBytes,
            .size(1 << 10...256 << 10),
            "The most bytes of header fields in a request; more is answered 431",
            seenIn: #"`weir_parse_faults_total{status="431"}`"#
        ),
        Setting(
            "WEIR_HEADER_FIELDS",
            \.limits.headerFields,
            .number(8...1000),
            "The most header fields in a request; more is answered 431",
            seenIn: #"`weir_parse_faults_total{status="431"}`"#
        ),
        Setting(
            "WEIR_BODY_BYTES",
            \.limits.bodyBytes,
            .size(0...1 << 30),
            "The largest request body that is collected in memory; larger is answered 413",
            seenIn: #"`weir_parse_faults_total{status="413"}`"#,
            isReloaded: true
        ),
        Setting(
            "WEIR_BODY_WINDOW",
            \.limits.bodyWindowBytes,
            .size(4 << 10...16 << 20),
            "Bytes of a streamed request body that are held per request before reading pauses",
            seenIn: "`weir_buffer_bytes`"
        ),
        Setting(
            "WEIR_OUTPUT_WINDOW",
            \.limits.outputWindowBytes,
            .size(16 << 10...16 << 20),
            "Unsent response bytes that are held per connection before writers wait",
            seenIn: "`weir_buffer_bytes`"
        ),
    ]

    private static let timeoutRows = [
        Setting(
            "WEIR_HEAD_TIMEOUT",
            \.timeouts.head,
            .duration(phaseRange),
            "From a request's first byte to the end of its head; else 408",
            seenIn: #"`weir_timeouts_total{kind="head"}`"#
        ),
        Setting(
            "WEIR_BODY_TIMEOUT",
            \.timeouts.body,
            .duration(phaseRange),
            "Between two pieces of a request's body; else 408",
            seenIn: #"`weir_timeouts_total{kind="body"}`"#
        ),
        Setting(
            "WEIR_KEEPALIVE_TIMEOUT",
            \.timeouts.keepAlive,
            .duration(phaseRange),
            "How long a connection may be idle between two requests",
            seenIn: #"`weir_timeouts_total{kind="keepalive"}`"#
        ),
        Setting(
            "WEIR_WRITE_TIMEOUT",
            \.timeouts.write,
            .duration(phaseRange),
            "How long a client may take none of the response",
            seenIn: #"`weir_timeouts_total{kind="write"}`"#
        ),
        Setting(
            "WEIR_BODY_RATE_MIN",
            \.timeouts.bodyRateMin,
            .size(0...1 << 30, unit: "size per second"),
            "Peers that send or take fewer bytes a second over a whole timeout are cut off; 0 is off",
            seenIn: #"`weir_timeouts_total{kind="body"}`, `{kind="write"}`"#
        ),
    ]

    private static let connectionRows = [
        Setting(
            "WEIR_KEEPALIVE_REQUESTS",
            \.limits.requestsPerConnection,
            .number(1...1_000_000_000),
            "Requests that a connection may carry before it is closed",
            seenIn: "`weir_connections_closed_total`"
        ),
        Setting(
            "WEIR_CONNECTION_AGE",
            \.limits.connectionAge,
            .durationOrOff(.seconds(1) ... .seconds(86400)),
            "How old a connection may grow, give or take 10 %",
            seenIn: "`weir_connections_closed_total`"
        ),
        Setting(
            "WEIR_CONNECTIONS",
            \.connectionsMax,
            .count(1...10_000_000),
            "The most open connections of clients; `auto` is what descriptors allow, with upstreams half of that, and one "
                + "for each 64 KiB of the pod's memory, with upstreams 128 KiB, with TLS 32 KiB more",
            seenIn: "`weir_connections_open`"
        ),
        Setting(
            "WEIR_BUFFER_MEMORY",
            \.bufferBytes,
            .sizeOrAuto(256 << 10...64 << 30),
            "The most that all loops together hold for connections. Where the part that is lent is in use windows are small, "
                + "and where all is in use what is to be kept whole is answered 503. `auto` is a quarter of the pod's memory",
            seenIn: "`weir_buffer_bytes`, `weir_buffer_limit_bytes`"
        ),
        Setting(
            "WEIR_SOCKET_BUFFER",
            \.socketBufferBytes,
            .sizeOrAuto(8 << 10...64 << 20),
            "What the kernel holds for a TCP connection in each direction; `auto` is half of the pod's memory for all that are "
                + "open in both directions, at most 128 KiB, at least what all of `WEIR_CONNECTIONS` can have and 1/4096 of the "
                + "memory within 16 KiB to 32 KiB, and from 1 GiB on what the kernel finds itself",
            seenIn: "`weir_socket_buffer_bytes`"
        ),
        Setting(
            "WEIR_DESCRIPTORS_HIGH",
            \.descriptorsHighPercent,
            .number(10...100, unit: "percent"),
            "Share of the file descriptor limit above which idle connections are closed",
            seenIn: "`weir_connections_shed_total`"
        ),
        Setting(
            "WEIR_BACKLOG",
            \.backlog,
            .number(1...65535),
            "Connections that may wait in each listener's kernel queue"
        ),
        Setting(
            "WEIR_FAST_OPEN",
            \.fastOpenQueue,
            .number(0...65535),
            "Connections that may wait with data in their SYN (TCP Fast Open); 0 is off"
        ),
    ]

    private static let logRows = [
        Setting("WEIR_LOG_LEVEL", \.logLevel, .choice, "The least level that is logged", isReloaded: true),
        Setting(
            "WEIR_LOG_FORMAT",
            \.logFormat,
            .choice,
            "JSON for collectors, text for people",
            seenIn: "`weir_log_lines_dropped_total`"
        ),
        Setting(
            "WEIR_ACCESS_LOG",
            \.accessLog,
            .accessLogTarget,
            "Where a line for each request goes, in the form of `WEIR_LOG_FORMAT`",
            seenIn: "`weir_access_log_lines_dropped_total`"
        ),
        Setting(
            "WEIR_ACCESS_LOG_BUFFER",
            \.accessLogBufferBytes,
            .sizeOrAuto(64 << 10...64 << 20),
            "Requests that each loop holds for the access log, at about 110 bytes each; beyond, lines are dropped. `auto` is "
                + "1 MiB, or all loops together 1/64 of the pod's memory if that is less",
            seenIn: "`weir_access_log_lines_dropped_total`"
        ),
    ]

    private static var phaseRange: ClosedRange<Duration> { .milliseconds(10) ... .seconds(3600) }
}
