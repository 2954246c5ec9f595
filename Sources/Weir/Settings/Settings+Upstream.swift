// SPDX-License-Identifier: Apache-2.0
// The settings of upstreams, of what stands between them and the clients, and of who is believed about the client.

extension Settings {
    /// Where requests are passed on to, and what connections there may take.
    public struct Upstream: Sendable, Equatable {
        /// The endpoints of the upstream called `default`, in the form `http://10.0.0.1:8080;weight=3`,
        /// `https://orders.shop.svc:8443` or `unix:/run/orders.sock`. `WEIR_UPSTREAM`, default none, 1 to 256 with
        /// commas between them. Requests go to them in turn, as often as their weights say. Or one source of them:
        /// `k8s://shop/orders:http`, `dns://orders.shop.svc:8080`.
        public var endpoints: [String] = []

        /// The most open connections to one endpoint, over all loops. `WEIR_UPSTREAM_CONNECTIONS`, default 1024,
        /// 1 to 1000000. Requests beyond wait for one until their deadline.
        public var connectionsMax = 1024

        /// The most requests of one loop that wait for a connection; one more is answered 503.
        /// `WEIR_UPSTREAM_WAITING`, default 1024, 0 to 1000000.
        public var waitingMax = 1024

        /// How long making a connection may take; then the next endpoint is tried.
        /// `WEIR_UPSTREAM_CONNECT_TIMEOUT`, default 5 s, 10 ms to 1 min.
        public var connectTimeout: Duration = .seconds(5)

        /// How long an unused connection is kept. `WEIR_UPSTREAM_IDLE_TIMEOUT`, default 60 s, 10 ms to 1 h. It should be
        /// below the endpoint's own, so that it is not the endpoint who closes.
        public var idleTimeout: Duration = .seconds(60)

        /// How long an endpoint may neither send nor take anything in the middle of a body.
        /// `WEIR_UPSTREAM_TRANSFER_TIMEOUT`, default 60 s, 10 ms to 1 h.
        public var transferTimeout: Duration = .seconds(60)

        /// The most bytes of header fields in a response; more is answered 502. `WEIR_UPSTREAM_HEADER_BYTES`, default
        /// 64 KiB, 1 KiB to 256 KiB. Cookies and policies make a service's heads larger than those of its clients.
        public var headerBytes = 64 << 10

        /// The most header fields in a response; more is answered 502. `WEIR_UPSTREAM_HEADER_FIELDS`, default 200,
        /// 8 to 1000.
        public var headerFields = 200

        /// The PROXY protocol's version that begins each connection to an endpoint. `WEIR_UPSTREAM_PROXY_PROTOCOL`,
        /// default off. Such a connection serves one request, because it speaks for one client.
        public var proxyProtocol: ProxyProtocolVersion = .off

        /// How TLS is spoken with endpoints that are `https`.
        public var tls = UpstreamTLS()

        /// How one of the endpoints is chosen for a request. `WEIR_UPSTREAM_BALANCE`, default least-latency.
        public var balance: Balance = .leastLatency

        /// The name servers that are asked for the names of endpoints, instead of those of `/etc/resolv.conf`:
        /// `10.0.0.10,127.0.0.1:5353,[fd00::10]:53`, at most 8, port 53 unless given. `WEIR_DNS_SERVERS`, default none.
        /// It needs ``App/resolveNames(by:)``.
        public var dnsServers = ""

        /// What Consul servers that are asked for endpoints are shown (`X-Consul-Token`). `WEIR_CONSUL_TOKEN`, default
        /// none. A secret: shown masked.
        public var consulToken = ""

        /// How TLS is spoken with Consul servers (`consul+https://`): `WEIR_CONSUL_TLS_CA`, `WEIR_CONSUL_TLS_SERVER_NAME`,
        /// `WEIR_CONSUL_TLS_CERT` and `WEIR_CONSUL_TLS_KEY`, as those of ``tls``. Their certificates are always looked at.
        public var consulTLS = UpstreamTLS()

        /// Where the API server of the Kubernetes cluster is that services are found in (`k8s://`):
        /// `http://127.0.0.1:8001`, `https://10.0.0.1:6443`. `WEIR_KUBERNETES_API`, default: as the kubelet tells each pod
        /// (`KUBERNETES_SERVICE_HOST`). In the clear the token is shown to this machine alone.
        public var kubernetesAPI = ""

        /// The folder of the service account by which the API server is asked: `token` and `ca.crt`.
        /// `WEIR_KUBERNETES_ACCOUNT`, default none: the kubelet's, `/var/run/secrets/kubernetes.io/serviceaccount`.
        public var kubernetesAccount = ""

        /// The zone that this process runs in, as Kubernetes names it (`topology.kubernetes.io/zone`): endpoints that are
        /// for other zones alone are left out. `WEIR_ZONE`, default none: all zones are alike.
        public var zone = ""

        /// Creates the default settings: no endpoint.
        public init() {}
    }

    /// Whether and how connections to endpoints begin with a header of the PROXY protocol.
    public enum ProxyProtocolVersion: String, Sendable, CaseIterable {
        /// They do not.
        case off
        /// The line of version 1.
        case v1
        /// The binary header of version 2.
        case v2
    }
}

extension Settings {
    /// How one of an upstream's endpoints is chosen for a request.
    public enum Balance: String, Sendable, CaseIterable {
        /// Of two that are drawn by weight, the one that was faster of late and has less in flight.
        case leastLatency = "least-latency"
        /// In turn, as often as their weights say.
        case roundRobin = "round-robin"
        /// The same for the same client, or for what an upstream of the configuration file names.
        case maglev
        /// The first that can serve.
        case first
    }
}
