// SPDX-License-Identifier: Apache-2.0
// The settings of TLS: for addresses of `WEIR_LISTEN` that begin with `tls://`.

extension Settings {
    /// Certificates, and how TLS is spoken with clients.
    public struct TLS: Sendable, Equatable {
        /// What becomes of clients' certificates.
        public enum Clients: String, CaseIterable, Sendable {
            /// None is asked for.
            case off
            /// One is asked for; a client without is served as any other.
            case optional
            /// A client without is refused.
            case required
        }

        /// The lowest version of TLS that is spoken.
        public enum Version: String, CaseIterable, Sendable {
            case tls12 = "1.2"
            case tls13 = "1.3"
        }

        /// PEM files, each with a certificate and those between it and a root, in this order. A client gets the first that
        /// names the host it asks for, else the first. `WEIR_TLS_CERT`, default none, at most ``pairsMax``.
        public var certificates: [String] = []

        /// PEM files with the private keys of ``certificates``, in the same order and without passphrases. `WEIR_TLS_KEY`.
        public var keys: [String] = []

        /// DER files with what the CAs say of ``certificates`` (OCSP), in the same order, `-` for one that has none; shown to
        /// clients that ask (stapling) while it is valid, says that the certificate is good, and is about it. `WEIR_TLS_OCSP`,
        /// default none.
        public var staples: [String] = []

        /// Files of 80 random bytes, the keys of session tickets: the first seals, the others still open. Replicas that share
        /// them resume each other's sessions. `WEIR_TLS_TICKET_KEYS`, default none: a key of this process's own, a new one
        /// each hour. At most 8.
        public var ticketKeys: [String] = []

        /// The lowest version of TLS that is spoken. `WEIR_TLS_MIN`, default 1.2.
        public var lowest = Version.tls12

        /// Whether clients are asked for certificates. `WEIR_TLS_CLIENT`, default off. Not on the admin port.
        public var clients = Clients.off

        /// A PEM file with the CAs, at most 1000, one of which must have signed a client's certificate. `WEIR_TLS_CLIENT_CA`,
        /// default none.
        public var clientAuthorities = ""

        /// How long a handshake may take; then the connection is closed. `WEIR_TLS_HANDSHAKE_TIMEOUT`, default 5 s, 10 ms to
        /// 1 h.
        public var handshakeTimeout: Duration = .seconds(5)

        /// The most handshakes that a loop works on in one turn, when it has read what its established connections have
        /// sent; the others wait for the next. `WEIR_TLS_HANDSHAKES`, default 8, 1 to 1000.
        public var handshakesPerTurn = 8

        /// The port to which requests without TLS are sent, by 308 and the host that they name; 0 serves them.
        /// `WEIR_TLS_REDIRECT`, default 0, 0 to 65535. Not on the admin port.
        public var redirectPort = 0

        /// Whether clients that come back may send requests that change nothing before the handshake is done (0-RTT). Each is
        /// taken once, by the process that the client was at before; not with ``ticketKeys``, nor where clients are asked for
        /// certificates, nor on the admin port. `WEIR_TLS_EARLY_DATA`, default false.
        public var takesEarlyData = false

        /// What answers over TLS tell browsers in `Strict-Transport-Security`, such as `max-age=31536000; includeSubDomains`: for
        /// so many seconds they come by https alone. It takes the place of what handlers and endpoints say; the edits of a
        /// route come behind it. `WEIR_TLS_HSTS`, default empty: nothing is said, at most 256 bytes. Not on the admin port.
        public var strictTransport = ""

        /// The most certificates of one server.
        public static let pairsMax = 64

        /// Creates the default settings: no certificate.
        public init() {}
    }
}
