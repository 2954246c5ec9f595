// SPDX-License-Identifier: Apache-2.0
// What clients send to register, and why it is refused.

import Testing
import Weir
import WeirUpstream

@Suite("A registration")
struct ConsulRegistrationTests {
    @Test("of a service has all that Consul's clients say of one")
    func service() throws {
        let (service, checks) = try ConsulRegistration.service(
            Array(
                """
                {"ID": "web-1", "Name": "web", "Address": "10.0.0.1", "Port": 8080, "Tags": ["a", "b"],
                 "Meta": {"version": "4"}, "Weights": {"Passing": 10, "Warning": 2}, "EnableTagOverride": true,
                 "TaggedAddresses": {"wan": {"Address": "1.2.3.4", "Port": 80}}, "Token": "", "Connect": null,
                 "Kind": "", "Check": {"HTTP": "http://10.0.0.1:8080/h", "Method": "HEAD", "Interval": "10s",
                   "Timeout": 1000000000, "Header": {"X": ["1", "2"]}, "Body": "b", "SuccessBeforePassing": 2,
                   "FailuresBeforeWarning": 1, "FailuresBeforeCritical": 3,
                   "DeregisterCriticalServiceAfter": "90m", "Status": "passing"},
                 "Checks": [{"TTL": "30s", "Name": "mine", "CheckID": "own"}, {"TCP": "10.0.0.1:1", "Interval": "5s"}]}
                """.utf8
            )
        )
        #expect(
            service
                == HealthService(
                    id: "web-1",
                    name: "web",
                    address: "10.0.0.1",
                    port: 8080,
                    tags: ["a", "b"],
                    meta: ["version": "4"],
                    weights: ServiceWeights(passing: 10, warning: 2),
                    taggedAddresses: [
                        "wan": ServiceAddress(address: "1.2.3.4", port: 80),
                        "lan_ipv4": ServiceAddress(address: "10.0.0.1", port: 8080),
                        "wan_ipv4": ServiceAddress(address: "10.0.0.1", port: 8080),
                    ],
                    enablesTagOverride: true
                )
        )
        #expect(checks.map(\.id) == ["service:web-1:1", "own", "service:web-1:3"])
        #expect(checks.map(\.name) == ["Service 'web' check", "mine", "Service 'web' check"])
        #expect(checks.map(\.status) == [.passing, .critical, .critical])
        let http = HTTPCheck(
            try CheckURL(parsing: "http://10.0.0.1:8080/h"),
            method: "HEAD",
            fields: [CheckField("X", "1"), CheckField("X", "2")],
            body: "b"
        )
        #expect(
            checks[0].definition
                == CheckDefinition(
                    .http(http),
                    interval: .seconds(10),
                    timeout: .seconds(1),
                    thresholds: .init(
                        successBeforePassing: 2,
                        failuresBeforeWarning: 1,
                        failuresBeforeCritical: 3
                    ),
                    deregisterCriticalServiceAfter: .seconds(5400)
                )
        )
        #expect(checks[1].definition == CheckDefinition(.ttl(.seconds(30))))
    }

    @Test("may have 16 levels, brackets in texts not counted, and not more")
    func levels() throws {
        func body(_ levels: Int) -> [UInt8] {
            // The object is the first of them.
            let (open, close) = (String(repeating: "[", count: levels - 1), String(repeating: "]", count: levels - 1))
            return Array(#"{"Name": "a\"[[[[[[[[[[[[[[[[[[[[", "Tags": \#(open)\#(close)}"#.utf8)
        }
        #expect(throws: ConsulError.badRequest("Request decode failed: Tags is no list of strings")) {
            try ConsulRegistration.service(body(16))
        }
        for levels in [17, 1000] {
            #expect(throws: ConsulError.badRequest("Request decode failed: the body has more than 16 levels")) {
                try ConsulRegistration.service(body(levels))
            }
        }
    }

    @Test("takes names of fields in any case, and the id from the name")
    func names() throws {
        let text =
            #"{"name": "db", "enable_tag_override": true, "CHECK": {"ttl": "1m", "deregister_critical_service_after": "2m"}}"#
        let (service, checks) = try ConsulRegistration.service(Array(text.utf8))
        #expect(service.id == "db")
        #expect(service.enablesTagOverride)
        #expect(checks.map(\.id) == ["service:db"])
        #expect(checks.first?.definition.deregisterCriticalServiceAfter == .seconds(120))
    }

    @Test(
        "of a service is refused in Consul's words where Consul has them",
        arguments: [
            ("", "Request decode failed: EOF"),
            ("{", "Request decode failed: the body is no JSON"),
            ("[]", "Request decode failed: the body is no object"),
            ("{}", "Missing service name"),
            (#"{"Name": 1}"#, "Request decode failed: Name is no string"),
            (#"{"Name": "a", "Port": "80"}"#, "Request decode failed: Port is no integer"),
            (#"{"Name": "a", "Port": 80.5}"#, "Request decode failed: Port is no integer"),
            (#"{"Name": "a", "Port": 65536}"#, "Invalid service port"),
            (#"{"Name": "a", "Prot": 1}"#, #"Request decode failed: json: unknown field "Prot""#),
            (#"{"Name": "a", "Address": "0.0.0.0"}"#, "Invalid service address"),
            (#"{"Name": "a", "Tags": [1]}"#, "Request decode failed: Tags is no list of strings"),
            (#"{"Name": "a", "Weights": {"Passing": 0}}"#, "Invalid Weights: Passing must be greater than 0"),
            (#"{"Name": "a", "Meta": {"a b": ""}}"#, "Invalid Service Meta: Key contains invalid characters: 'a b'"),
            (#"{"Name": "a", "Kind": "connect-proxy"}"#, "Kind is not supported"),
            (
                #"{"Name": "a", "Check": {"TTL": "1s", "Interval": "1s"}}"#,
                "Invalid check: Interval and TTL cannot both be specified"
            ),
            (#"{"Name": "a", "Check": {"Interval": "1s"}}"#, "Invalid check: TTL must be > 0 for TTL checks"),
            (#"{"Name": "a", "Check": {"TTL": "1"}}"#, #"Request decode failed: time: invalid duration "1""#),
            (
                #"{"Name": "a", "Check": {"TTL": "1s", "Status": "fine"}}"#,
                "Status for checks must 'passing', 'warning', 'critical'"
            ),
            (
                #"{"Name": "a", "Check": {"HTTP": "http://1.1.1.1/", "TTL": "1s", "Interval": "1s"}}"#,
                "Invalid check: Interval and TTL cannot both be specified"
            ),
            (
                #"{"Name": "a", "Check": {"HTTP": "http://1.1.1.1/"}}"#,
                "Invalid check: Interval must be > 0 for HTTP or TCP checks"
            ),
            (
                #"{"Name": "a", "Check": {"HTTP": "https://1.1.1.1/", "Interval": "1s"}}"#,
                "Invalid check: https://1.1.1.1/: TLS is not supported; expected http://"
            ),
            (
                #"{"Name": "a", "Check": {"Args": ["x"], "Interval": "1s"}}"#,
                "Invalid check: Args is not supported; expected HTTP, TCP or TTL"
            ),
            (
                #"{"Name": "a", "Check": {"GRPC": "1.1.1.1:1", "Interval": "1s"}}"#,
                "Invalid check: GRPC is not supported; expected HTTP, TCP or TTL"
            ),
            (
                #"{"Name": "a", "Check": {"TTL": "1s", "FailuresBeforeWarning": 2, "FailuresBeforeCritical": 1}}"#,
                "Invalid check: FailuresBeforeWarning can't be higher than FailuresBeforeCritical"
            ),
        ]
    )
    func refused(_ body: String, _ reason: String) {
        #expect(throws: ConsulError.badRequest(reason)) { try ConsulRegistration.service(Array(body.utf8)) }
    }

    @Test("of a check has its name for an id, and may be of a service")
    func check() throws {
        let check = try ConsulRegistration.check(Array(#"{"Name": "mem", "TTL": "10s", "ServiceID": "web"}"#.utf8))
        #expect(check.id == "mem")
        #expect(check.serviceID == "web")
        let own = try ConsulRegistration.check(Array(#"{"ID": "x", "Name": "mem", "TTL": "10s"}"#.utf8))
        #expect(own.id == "x")
        #expect(own.serviceID == nil)
        #expect(throws: ConsulError.badRequest("Missing check name")) {
            try ConsulRegistration.check(Array(#"{"TTL": "10s"}"#.utf8))
        }
    }

    @Test("of a status is one of three")
    func update() throws {
        let update = try ConsulRegistration.update(Array(#"{"Status": "warning", "Output": "slow"}"#.utf8))
        #expect(update.status == .warning)
        #expect(update.output == "slow")
        #expect(throws: ConsulError.badRequest("Invalid check status: 'up'")) {
            try ConsulRegistration.update(Array(#"{"Status": "up"}"#.utf8))
        }
    }
}

@Suite("A query")
struct ConsulQueryTests {
    @Test("says what it has seen, how long it waits, and what it wants")
    func reading() throws {
        let query = try ConsulQueryOptions(
            Query(text: "index=7&wait=1m&tag=a&tag=B&passing&near=_agent&stale=&dc=dc1&filter=")
        )
        #expect(query.index == 7)
        #expect(query.wait == .seconds(60))
        #expect(query.wantsPassing)
        #expect(query.matchesTags(HealthService(id: "1", name: "s", tags: ["A", "b", "c"])))
        #expect(!query.matchesTags(HealthService(id: "1", name: "s", tags: ["a"])))
        #expect(try !ConsulQueryOptions(Query(text: "passing=false")).wantsPassing)
    }

    @Test(
        "is refused where its answer would be another",
        arguments: [
            ("index=x", 400, "Invalid index"), ("index=-1", 400, "Invalid index"), ("wait=5", 400, "Invalid wait time"),
            ("passing=maybe", 400, "Invalid value for ?passing"),
            ("filter=Service.Port==1", 400, "Query parameter filter is not supported"),
            ("node-meta=a:b", 400, "Query parameter node-meta is not supported"),
            ("dc=dc2", 500, "No path to datacenter"),
        ]
    )
    func refused(_ text: String, _ status: Int, _ reason: String) {
        #expect(throws: ConsulError(status, reason)) { try ConsulQueryOptions(Query(text: text)) }
    }
}

@Suite("The documents for Consul's clients")
struct ConsulDocumentsTests {
    @Test("have Consul's names and types")
    func check() throws {
        let registry = HealthRegistry(
            node: HealthNode(id: "id", name: "node", address: "fd00::7"),
            startIndex: 5
        )
        try registry.register(
            HealthService(id: "a", name: "s", tags: ["t"]),
            checks: [
                HealthCheck(
                    id: "c",
                    name: "C",
                    definition: CheckDefinition(
                        .tcp(.name("db", port: 1)),
                        interval: .seconds(90),
                        timeout: .milliseconds(1500)
                    )
                )
            ],
            now: 0
        )
        let documents = ConsulDocuments(node: registry.node, nodeIndex: 5)
        let entry = try #require(registry.check("c"))
        #expect(
            String(decoding: documents.check(entry, of: registry.service("a")?.service).bytes, as: UTF8.self)
                == #"{"Node":"node","CheckID":"c","Name":"C","Status":"critical","Notes":"","Output":"","#
                + #""ServiceID":"a","ServiceName":"s","ServiceTags":["t"],"Type":"tcp","Interval":"1m30s","#
                + #""Timeout":"1.5s","ExposedPort":0,"Definition":{},"CreateIndex":7,"ModifyIndex":7}"#
        )
        #expect(
            String(decoding: documents.nodeDocument.bytes, as: UTF8.self)
                == #"{"ID":"id","Node":"node","Address":"fd00::7","Datacenter":"dc1","TaggedAddresses":{"lan":"fd00::7","#
                + #""lan_ipv6":"fd00::7","wan":"fd00::7","wan_ipv6":"fd00::7"},"Meta":{},"CreateIndex":5,"ModifyIndex":5}"#
        )
    }
}
