// SPDX-License-Identifier: Apache-2.0
// The settings that bound what one request or one connection may cost.

extension Settings {
    /// What one request or one connection may cost at most.
    public struct Limits: Sendable, Equatable {
        /// The longest request line in bytes; longer is answered 414. `WEIR_REQUEST_LINE_BYTES`, default 8 KiB,
        /// 256 B to 64 KiB.
        public var requestLineBytes = 8 << 10

        /// The most bytes of header fields in a request; more is answered 431. `WEIR_HEADER_BYTES`, default 32 KiB,
        /// 1 KiB to 256 KiB.
        public var headerBytes = 32 << 10

        /// The most header fields in a request; more is answered 431. `WEIR_HEADER_FIELDS`, default 100, 8 to 1000.
        public var headerFields = 100

        /// The largest request body that is collected in memory, in bytes; larger is answered 413. `WEIR_BODY_BYTES`,
        /// default 10 MiB, 0 to 1 GiB.
        public var bodyBytes = 10 << 20

        /// How many bytes of a streamed request body are held per request before reading pauses.
        /// `WEIR_BODY_WINDOW`, default 64 KiB, 4 KiB to 16 MiB.
        public var bodyWindowBytes = 64 << 10

        /// How many unsent response bytes are held per connection before writers wait. `WEIR_OUTPUT_WINDOW`,
        /// default 64 KiB, 16 KiB to 16 MiB.
        public var outputWindowBytes = 64 << 10

        /// How many requests a connection may carry; the last is answered `Connection: close`.
        /// `WEIR_KEEPALIVE_REQUESTS`, default 1000, 1 to 1000000000. It lets load spread again after a scale-out.
        public var requestsPerConnection = 1000

        /// How old a connection may grow, give or take 10 % so that those opened together do not close together; nil
        /// for no limit. `WEIR_CONNECTION_AGE`, default 5 min, 1 s to 24 h, `off` for none.
        public var connectionAge: Duration? = .seconds(300)

        /// Creates the default limits.
        public init() {}
    }
}
