// SPDX-License-Identifier: Apache-2.0
// What an App may be told from outside: one property per setting. A plain value; `Settings+Table.swift` gives each
// its WEIR_* variable, form and range.

public import Logging

/// Everything that can be set about an ``App``, with safe defaults.
///
/// `Settings()` is what a start with no `WEIR_*` variable gives. Properties may be changed in code; the app calls
/// ``validate()`` before it starts.
public struct Settings: Sendable, Equatable {
    /// Where requests are taken. `WEIR_LISTEN`, default `:8080` (all addresses, IPv4 and IPv6), 1 to 16 addresses.
    public var listen: [ListenAddress] = [.tcp(host: nil, port: 8080)]

    /// Where probes and metrics are answered. `WEIR_ADMIN_LISTEN`, default `:9901`; empty (`off`) for none.
    public var adminListen: [ListenAddress] = [.tcp(host: nil, port: 9901)]

    /// How many CPUs the pod was promised. `WEIR_CPU_REQUEST`, 1m to 1024: `500m`, `2`, `0.5`; default none. It is the
    /// pod's budget where no control group limits its CPU time; of a limited pod it says nothing.
    public var cpuRequest: Double?

    /// What becomes of a part of a CPU when loops are counted. `WEIR_CPU_ROUNDING`, default up; never below one.
    public var cpuRounding: CPURounding = .up

    /// How many event loops run. `WEIR_LOOPS`, 1 to 256, default automatic: one for each CPU of the pod's budget, also
    /// when that changes while it runs.
    public var loops: Count = .automatic

    /// Whether each loop is bound to one CPU. `WEIR_PIN`, default false: on a shared node the kernel places better.
    public var pinsLoops = false

    /// How long a handler may hold a loop before it is logged and counted. `WEIR_LOOP_STALL`, default 50 ms,
    /// 1 ms to 10 s.
    public var loopStall: Duration = .milliseconds(50)

    /// How long a loop may stand still before the liveness probe fails. `WEIR_LOOP_STUCK`, default 30 s, 1 s to 10 min,
    /// not below ``loopStall``.
    public var loopStuck: Duration = .seconds(30)

    /// The most threads for handlers that block. `WEIR_WORKERS`, 1 to 4096, default automatic: the larger of 8 and
    /// four for each CPU of the pod's budget.
    public var workersMax: Count = .automatic

    /// The threads for blocking handlers that are kept when idle. `WEIR_WORKERS_MIN`, default 1, 1 to 4096, not above
    /// ``workersMax``.
    public var workersMin = 1

    /// The most jobs that wait for a worker; one more is answered 503. `WEIR_WORKERS_QUEUE`, default 1024,
    /// 1 to 1048576.
    public var workersQueueMax = 1024

    /// How long a worker above the least number stays idle before it ends. `WEIR_WORKERS_IDLE`, default 30 s,
    /// 1 s to 1 h.
    public var workersIdle: Duration = .seconds(30)

    /// The most background work that runs at once. `WEIR_BACKGROUND_TASKS`, 1 to 4096, default automatic: half of
    /// ``workersMax``, on whose threads it runs.
    public var backgroundTasksMax: Count = .automatic

    /// The most background work that has not begun; ``RequestContext/background(_:)`` throws beyond it.
    /// `WEIR_BACKGROUND_QUEUE`, default 1024, 1 to 1048576.
    public var backgroundQueueMax = 1024

    /// Within what time a response's head must be there; else the answer is 504. `WEIR_DEADLINE`, default 15 s,
    /// 1 ms to 1 h.
    public var deadline: Duration = .seconds(15)

    /// A field that says how long a client still waits, beside `grpc-timeout` and `x-envoy-expected-rq-timeout-ms`; what
    /// is left then goes on to endpoints in it. `WEIR_DEADLINE_HEADER`, default none. Not one that the engine knows.
    public var deadlineHeader = ""

    /// The field of a request that says its traffic tag, which what a handler asks of upstreams carries on.
    /// `WEIR_TAG_HEADER`, default none. Not one that the engine knows.
    public var tagHeader = ""

    /// How long requests are still taken after the stop signal, while load balancers notice that the pod is no longer
    /// ready. `WEIR_DRAIN_DELAY`, default 5 s, 0 to 10 min.
    public var drainDelay: Duration = .seconds(5)

    /// When connections are closed at the latest, from the stop signal on. `WEIR_DRAIN_TIMEOUT`, default 25 s (below
    /// the 30 s after which Kubernetes kills), 0 to 1 h, not below ``drainDelay``.
    public var drainTimeout: Duration = .seconds(25)

    /// The least level that is logged. `WEIR_LOG_LEVEL`, default info.
    public var logLevel: Logger.Level = .info

    /// How a log line is written. `WEIR_LOG_FORMAT`, default JSON.
    public var logFormat: LogFormat = .json

    /// Where a line for each request goes. `WEIR_ACCESS_LOG`, default off.
    public var accessLog: AccessLogTarget = .off

    /// Bytes of requests that each loop holds for the access log; beyond, lines are dropped.
    /// `WEIR_ACCESS_LOG_BUFFER`, 64 KiB to 64 MiB, rounded up to a power of two; default automatic: 1 MiB, in a pod of
    /// little memory less, so that those of all loops together take at most a 64th of it, and at least 64 KiB each.
    public var accessLogBufferBytes: Count = .automatic

    /// The most open connections of clients. `WEIR_CONNECTIONS`, 1 to 10000000, default automatic: what the limit of file
    /// descriptors allows, in an app with upstreams half of that, as each needs at most one to an endpoint at a time; and
    /// one for each 64 KiB of the pod's memory, with upstreams 128 KiB, with TLS 32 KiB more.
    public var connectionsMax: Count = .automatic

    /// The most bytes that all loops together hold for connections: buffers, and what is kept of bodies. Where the part that
    /// is lent is in use windows are small; where all is in use a body that is to be collected, or a head of more than
    /// 3 KiB, is answered 503.
    /// `WEIR_BUFFER_MEMORY`, 256 KiB to 64 GiB; default automatic: a quarter of the pod's memory.
    public var bufferBytes: Count = .automatic

    /// Bytes that the kernel holds for a TCP connection in each direction, its own part among it; the half is about what
    /// fits. `WEIR_SOCKET_BUFFER`, 8 KiB to 64 MiB; default automatic: half of the pod's memory for all that are open in both
    /// directions, those to endpoints among them, at most 128 KiB. At least what all of ``connectionsMax`` can have, and 1/4096
    /// of the memory within 16 KiB to 32 KiB. From 1 GiB of memory on what the kernel finds itself.
    public var socketBufferBytes: Count = .automatic

    /// Above what share of the descriptor limit idle connections are closed, in percent. `WEIR_DESCRIPTORS_HIGH`,
    /// default 85, 10 to 100.
    public var descriptorsHighPercent = 85

    /// How many connections may wait in each listener's kernel queue. `WEIR_BACKLOG`, default 1024, 1 to 65535; the
    /// kernel caps it at `net.core.somaxconn`.
    public var backlog = 1024

    /// How many connections may wait with data in their SYN (TCP Fast Open). `WEIR_FAST_OPEN`, default 0 (off),
    /// 0 to 65535.
    public var fastOpenQueue = 0

    /// What runs at once, what waits for it, and who goes first.
    public var admission = Admission()

    /// How many requests are let through in a time.
    public var rateLimiting = RateLimiting()

    /// Where requests are passed on to.
    public var upstream = Upstream()

    /// Peers whose word about the client counts: address blocks, and the words `loopback`, `private` and `unix`.
    /// `WEIR_TRUSTED_PROXIES`, default none.
    public var trustedProxies: [String] = []

    /// Whether connections of ``trustedProxies`` begin with a header of the PROXY protocol, version 1 or 2.
    /// `WEIR_PROXY_PROTOCOL`, default false.
    public var takesProxyProtocol = false

    /// The most responses that still flow when their deadline has passed; one more is cut off. `WEIR_STREAMS`, 1 to
    /// 10000000, default automatic: as many as connections.
    public var streamsMax: Count = .automatic

    /// The most tunnels (WebSocket and other upgrades); one more is answered 503. `WEIR_TUNNELS`, 0 to 10000000, default
    /// automatic: half as many as connections.
    public var tunnelsMax: Count = .automatic

    /// How long neither side of a tunnel may send anything. `WEIR_TUNNEL_TIMEOUT`, default 10 min, 10 ms to 24 h.
    public var tunnelTimeout: Duration = .seconds(600)

    /// What a request that changes something through the admin port shows as `Authorization: Bearer …` where it does not
    /// come from loopback; empty lets only loopback. `WEIR_ADMIN_TOKEN`, default empty. A secret: shown masked.
    public var adminToken = ""

    /// Sizes and numbers that one request or connection may not pass.
    public var limits = Limits()

    /// Certificates, and how TLS is spoken with clients.
    public var tls = TLS()

    /// How long one phase of a connection may take.
    public var timeouts = Timeouts()

    /// The folder in which baselines are kept, a file for each version. `WEIR_BASELINE`, default none: guards of routes learn
    /// anew at each start.
    public var baselineFolder = ""

    /// The version of the service whose baseline is learnt and compared with: 1 to 64 letters, digits and `.`, `_`, `+`,
    /// `-`, not a dot first. `WEIR_BASELINE_VERSION`, default `current`.
    public var baselineVersion = "current"

    /// The YAML file with routes, upstreams and settings that the gateway reads. `WEIR_CONFIG`, default none. A program
    /// that reads none refuses to start with it.
    public var configurationFile = ""

    /// What the environment and the file have said; it does not count when settings are compared.
    var readValues = ReadValues()

    /// Creates the settings of a start with no `WEIR_*` variable.
    public init() {}
}
