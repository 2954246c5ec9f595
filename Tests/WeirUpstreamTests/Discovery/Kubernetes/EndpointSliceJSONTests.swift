// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct EndpointSliceJSONTests {
    /// As Kubernetes 1.31 writes it, shortened.
    private static let list = """
        {"kind": "EndpointSliceList", "apiVersion": "discovery.k8s.io/v1",
         "metadata": {"resourceVersion": "4711", "continue": "eyJ2IjoibWV0YS", "remainingItemCount": 3},
         "items": [
          {"metadata": {"name": "orders-abc", "namespace": "shop", "uid": "5a", "resourceVersion": "4001", "generation": 7,
                        "creationTimestamp": "2026-01-01T00:00:00Z", "labels": {"kubernetes.io/service-name": "orders"},
                        "managedFields": [{"manager": "kube-controller-manager", "fieldsV1": {"f:addressType": {}}}]},
           "addressType": "IPv4",
           "endpoints": [
            {"addresses": ["10.1.0.7"], "conditions": {"ready": true, "serving": true, "terminating": false},
             "targetRef": {"kind": "Pod", "namespace": "shop", "name": "orders-1", "uid": "u1"},
             "nodeName": "node-1", "zone": "eu-1", "hints": {"forZones": [{"name": "eu-1"}, {"name": "eu-2"}]}},
            {"addresses": ["10.1.0.8", "10.1.0.9"], "conditions": {"ready": false, "serving": true, "terminating": true}},
            {"addresses": ["10.1.0.10"], "conditions": {"ready": false, "serving": false, "terminating": false}}],
           "ports": [{"name": "http", "port": 8080, "protocol": "TCP", "appProtocol": "kubernetes.io/h2c"},
                     {"name": "dns", "port": 53, "protocol": "UDP"}, {"port": 9090}]},
          {"metadata": {"name": "orders-def"}, "addressType": "IPv6", "endpoints": null, "ports": null}]}
        """

    private static let first = EndpointSlice(
        name: "orders-abc",
        ports: [EndpointSlice.Port(name: "http", number: 8080), EndpointSlice.Port(number: 9090)],
        endpoints: [
            EndpointSlice.Endpoint(.ipv4(0x0A01_0007, port: 0), target: "u1", zone: "eu-1", hints: ["eu-1", "eu-2"]),
            EndpointSlice.Endpoint(.ipv4(0x0A01_0008, port: 0), isReady: false),
        ]
    )

    private func list(_ text: String) -> EndpointSliceList? { EndpointSliceJSON.list(Array(text.utf8)) }

    private func event(_ text: String) -> EndpointSliceEvent? { EndpointSliceJSON.event(Array(text.utf8)) }

    /// The only endpoint of a slice of the one, if it is taken.
    private func endpoint(_ text: String, family: String = "IPv4") -> EndpointSlice.Endpoint? {
        let slice = "{\"metadata\": {\"name\": \"a\"}, \"addressType\": \"\(family)\", \"endpoints\": [\(text)]}"
        return list("{\"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [\(slice)]}")?.objects[0].endpoints.first
    }

    @Test func `a list has its slices, its version and where it goes on`() throws {
        let read = try #require(list(Self.list))
        #expect(read.objects == [Self.first, EndpointSlice(name: "orders-def", ports: [], endpoints: [])])
        #expect(read.resourceVersion == "4711" && read.continuation == "eyJ2IjoibWV0YS")
        let last = try #require(list(#"{"metadata": {"resourceVersion": "9", "continue": ""}, "items": null}"#))
        #expect(last.objects.isEmpty && last.continuation == nil)
    }

    @Test(
        arguments: [
            ("{}", true), ("null", true), (#"{"ready": true}"#, true), (#"{"ready": null}"#, true),
            (#"{"terminating": false}"#, true), (#"{"ready": true, "terminating": true}"#, true),
            (#"{"ready": false}"#, nil), (#"{"ready": false, "serving": true}"#, nil),
            (#"{"ready": false, "terminating": true}"#, false),
            (#"{"ready": false, "serving": null, "terminating": true}"#, false),
            (#"{"ready": false, "serving": true, "terminating": true}"#, false),
            (#"{"ready": false, "serving": false, "terminating": true}"#, nil),
        ] as [(String, Bool?)]
    )
    func `what is not said is ready, serving and not terminating`(_ conditions: String, _ isReady: Bool?) {
        #expect(endpoint("{\"addresses\": [\"10.0.0.1\"], \"conditions\": \(conditions)}")?.isReady == isReady)
    }

    @Test(arguments: [
        ("10.0.0.1", "IPv4", "10.0.0.1"), ("fd00::7", "IPv6", "fd00::7"), ("::ffff:10.0.0.1", "IPv6", "10.0.0.1"),
        ("fd00::7", "IPv4", nil), ("10.0.0.1", "IPv6", nil), ("orders.example.com", "FQDN", nil),
        ("10.0.0.1", "FQDN", nil), ("10.0.0.1", "IPv8", nil), ("10.0.0", "IPv4", nil), ("", "IPv4", nil),
    ])
    func `addresses are those of the slice's family`(_ address: String, _ family: String, _ expected: String?) {
        #expect(endpoint("{\"addresses\": [\"\(address)\"]}", family: family)?.address.host == expected)
    }

    @Test func `the older version has its zone among its topology`() {
        let text = #"{"addresses": ["10.0.0.1"], "topology": {"topology.kubernetes.io/zone": "eu-3"}}"#
        #expect(endpoint(text)?.zone == "eu-3")
        #expect(endpoint(#"{"addresses": []}"#) == nil)
        #expect(endpoint("{}") == nil)
    }

    @Test func `events say what has become of a slice`() {
        let object = #"{"metadata": {"name": "a", "resourceVersion": "8"}, "addressType": "IPv4"}"#
        let slice = EndpointSlice(name: "a", ports: [], endpoints: [])
        #expect(event("{\"type\": \"ADDED\", \"object\": \(object)}") == .changed(slice, resourceVersion: "8"))
        #expect(event("{\"type\": \"MODIFIED\", \"object\": \(object)}") == .changed(slice, resourceVersion: "8"))
        #expect(event("{\"type\": \"DELETED\", \"object\": \(object)}") == .gone(name: "a", resourceVersion: "8"))
        #expect(
            event(
                #"{"type": "BOOKMARK", "object": {"metadata": {"resourceVersion": "12", "creationTimestamp": null}}}"#
            )
                == .bookmark(resourceVersion: "12")
        )
        #expect(
            event(#"{"type": "ERROR", "object": {"kind": "Status", "code": 410, "message": "too old"}}"#)
                == .failed(APIStatus(code: 410, message: "too old"))
        )
        #expect(event(#"{"type": "ERROR", "object": {}}"#) == .failed(APIStatus(code: 0, message: "")))
        #expect(event(#"{"type": "SYNCED", "object": 1}"#) == .unknown)
    }

    @Test(arguments: [
        "", "{", "null", "[]", "<html>", #"{"items": []}"#, #"{"metadata": {}, "items": []}"#,
        #"{"metadata": {"resourceVersion": 7}, "items": []}"#, #"{"metadata": {"resourceVersion": ""}, "items": []}"#,
        #"{"metadata": {"resourceVersion": "7"}, "items": {}}"#,
        #"{"metadata": {"resourceVersion": "7"}, "items": [{}]}"#,
        #"{"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": ""}}]}"#,
        #"{"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}, "endpoints": "no"}]}"#,
        #"{"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}, "ports": [{"port": "80"}]}]}"#,
        #"{"metadata": {"resourceVersion": "7"}, "items": [{"metadata": {"name": "a"}, "endpoints": [{"conditions": 1}]}]}"#,
    ])
    func `what has one wrong part is no list`(_ text: String) {
        #expect(list(text) == nil)
    }

    @Test(arguments: [
        "", "{}", #"{"type": "ADDED"}"#, #"{"type": 1, "object": {}}"#, #"{"type": "ADDED", "object": {}}"#,
        #"{"type": "ADDED", "object": {"metadata": {"name": "a"}}}"#,
        #"{"type": "ADDED", "object": {"metadata": {"resourceVersion": "1"}}}"#,
        #"{"type": "DELETED", "object": {"metadata": {"name": "a"}}}"#,
        #"{"type": "BOOKMARK", "object": {"metadata": {}}}"#, #"{"type": "ERROR", "object": "no"}"#,
    ])
    func `what has one wrong part is no event`(_ text: String) {
        #expect(event(text) == nil)
    }

    @Test func `a version that would make a request without an end is none`() {
        let long = String(repeating: "9", count: 4097)
        #expect(list("{\"metadata\": {\"resourceVersion\": \"\(long)\"}, \"items\": []}") == nil)
        #expect(list("{\"metadata\": {\"resourceVersion\": \"1\", \"continue\": \"\(long)\"}, \"items\": []}") == nil)
    }

    @Test(arguments: [0, -1, 65536, 1 << 40])
    func `a port that is none is left out`(_ port: Int) {
        let text = "{\"metadata\": {\"name\": \"a\"}, \"addressType\": \"IPv4\", \"ports\": [{\"port\": \(port)}]}"
        #expect(
            list("{\"metadata\": {\"resourceVersion\": \"1\"}, \"items\": [\(text)]}")?.objects[0].ports.isEmpty == true
        )
    }

    @Test func `no bytes make it trap, and no part of a list is one`() {
        let whole = Array(Self.list.utf8)
        for count in 0..<(whole.count - 1) where count % 7 == 0 {
            #expect(EndpointSliceJSON.list(Array(whole[..<count])) == nil)
        }
        var random = SeededGenerator(seed: 11)
        for _ in 0..<300 {
            var bytes = whole
            for _ in 0..<4 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            _ = EndpointSliceJSON.list(bytes)
            _ = EndpointSliceJSON.event(bytes)
            _ = EndpointSliceJSON.status(bytes)
        }
    }
}
