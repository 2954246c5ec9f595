// SPDX-License-Identifier: Apache-2.0
// The settings that bound how long a phase of a connection may take.

extension Settings {
    /// How long each phase of a connection may take, and how slow a peer may be.
    public struct Timeouts: Sendable, Equatable {
        /// From a request's first byte to the end of its head; else 408. `WEIR_HEAD_TIMEOUT`, default 10 s,
        /// 10 ms to 1 h.
        public var head: Duration = .seconds(10)

        /// Between two pieces of a request's body; else 408. `WEIR_BODY_TIMEOUT`, default 30 s, 10 ms to 1 h.
        public var body: Duration = .seconds(30)

        /// How long a connection may be idle between two requests. `WEIR_KEEPALIVE_TIMEOUT`, default 75 s (above the
        /// 60 s after which common load balancers close), 10 ms to 1 h.
        public var keepAlive: Duration = .seconds(75)

        /// How long a client may take none of the response. `WEIR_WRITE_TIMEOUT`, default 30 s, 10 ms to 1 h.
        public var write: Duration = .seconds(30)

        /// The slowest rate at which a body may come or a response be taken over a whole timeout, in bytes a second;
        /// slower peers are cut off. `WEIR_BODY_RATE_MIN`, default 240, 0 (off) to 1 GiB.
        public var bodyRateMin = 240

        /// Creates the default timeouts.
        public init() {}
    }
}
