// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirUpstream

@Suite struct EndpointSliceTableTests {
    private typealias Endpoint = EndpointSlice.Endpoint

    private static let http = [EndpointSlice.Port(name: "http", number: 8080)]

    private func service(_ text: String = "shop/orders:http") throws -> KubernetesService {
        try #require(KubernetesService(parsing: text))
    }

    private func table(_ slices: EndpointSlice...) -> EndpointSliceTable {
        var table = EndpointSliceTable()
        let isWhole = table.add(EndpointSliceList(slices, resourceVersion: "1"))
        #expect(isWhole)
        return table
    }

    private func slice(
        _ name: String,
        ports: [EndpointSlice.Port] = http,
        _ endpoints: EndpointSlice.Endpoint...
    ) -> EndpointSlice {
        EndpointSlice(name: name, ports: ports, endpoints: endpoints)
    }

    /// `10.0.0.N`
    private func pod(
        _ number: UInt32,
        isReady: Bool = true,
        target: String = "",
        zone: String? = nil,
        for hints: String...
    ) -> EndpointSlice.Endpoint {
        Endpoint(.ipv4(0x0A00_0000 + number, port: 0), target: target, isReady: isReady, zone: zone, hints: hints)
    }

    private func urls(_ table: EndpointSliceTable, _ text: String = "shop/orders:http", zone: String? = nil) throws
        -> [String]
    {
        try table.endpoints(of: try service(text), zone: zone).map(\.url.description)
    }

    private func expect(
        _ table: inout EndpointSliceTable,
        _ event: EndpointSliceEvent,
        _ outcome: EndpointSliceTable.Outcome,
        sourceLocation: SourceLocation = #_sourceLocation
    ) {
        let actual = table.apply(event)
        #expect(actual == outcome, sourceLocation: sourceLocation)
    }

    // MARK: Events

    @Test func `events change the slices that they name, and move the version on`() throws {
        var table = table(slice("a", pod(1)), slice("b", pod(2)))
        expect(&table, .changed(slice("c", pod(3)), resourceVersion: "2"), .changed)
        #expect(try urls(table) == ["http://10.0.0.1:8080", "http://10.0.0.2:8080", "http://10.0.0.3:8080"])
        expect(&table, .changed(slice("c", pod(3)), resourceVersion: "3"), .unchanged)
        expect(&table, .changed(slice("a", pod(4)), resourceVersion: "4"), .changed)
        expect(&table, .gone(name: "b", resourceVersion: "5"), .changed)
        expect(&table, .gone(name: "b", resourceVersion: "6"), .unchanged)
        #expect(try urls(table) == ["http://10.0.0.3:8080", "http://10.0.0.4:8080"])
        #expect(table.resourceVersion == "6")
        expect(&table, .bookmark(resourceVersion: "99"), .unchanged)
        #expect(table.resourceVersion == "99")
        expect(&table, .unknown, .unchanged)
    }

    @Test func `an error ends the watch, and one of 410 what is known of the history`() {
        var table = table(slice("a", pod(1)))
        expect(&table, .failed(APIStatus(code: 410, message: "too old resource version")), .expired)
        let status = APIStatus(code: 500, message: "no")
        expect(&table, .failed(status), .failed(status))
        #expect(table.slices.count == 1 && table.resourceVersion == "1")
    }

    @Test func `more slices or endpoints than may be are too many`() {
        var table = EndpointSliceTable()
        let endpoints = (0..<UInt32(EndpointSliceTable.endpointsMax)).map { pod($0) }
        let full = EndpointSlice(name: "a", ports: Self.http, endpoints: endpoints)
        let isWhole = table.add(EndpointSliceList([full], resourceVersion: "1"))
        #expect(isWhole)
        // The same again is no more than before.
        expect(&table, .changed(full, resourceVersion: "2"), .unchanged)
        expect(&table, .changed(slice("b", pod(1)), resourceVersion: "2"), .tooMany)
        var many = EndpointSliceTable()
        let slices = (0...EndpointSliceTable.slicesMax).map { slice("s\($0)") }
        let fits = many.add(EndpointSliceList(slices, resourceVersion: "1"))
        #expect(!fits)
    }

    // MARK: Who takes requests

    @Test func `those that end take none while one is ready, and all of them when none is`() throws {
        var table = table(slice("a", pod(1), pod(2, isReady: false)), slice("b", pod(3, isReady: false)))
        let found = try table.endpoints(of: try service())
        #expect(found.map(\.url.description) == ["http://10.0.0.1:8080"] && found[0].health == .passing)
        _ = table.apply(.changed(slice("a", pod(2, isReady: false)), resourceVersion: "2"))
        let draining = try table.endpoints(of: try service())
        #expect(draining.map(\.url.description) == ["http://10.0.0.2:8080", "http://10.0.0.3:8080"])
        #expect(draining.allSatisfy { $0.health == .warning })
        #expect(table.readyCount == 0)
    }

    @Test func `an endpoint in two slices is one, ready where one of them says so`() throws {
        let twice = table(slice("a", pod(1, isReady: false)), slice("b", pod(1)), slice("c", pod(1, isReady: false)))
        let found = try twice.endpoints(of: try service())
        #expect(found.count == 1 && found[0].health == .passing)
        #expect(twice.readyCount == 1)
    }

    @Test func `a pod of both families is one endpoint, at its IPv4 address`() throws {
        let six = Endpoint(.ipv6(0xFD00 << 48, 7, port: 0), target: "u1")
        let alone = Endpoint(.ipv6(0xFD00 << 48, 8, port: 0), target: "u2")
        let unknown = Endpoint(.ipv6(0xFD00 << 48, 9, port: 0))
        let table = table(slice("four", pod(1, target: "u1")), slice("six", six, alone, unknown))
        #expect(try urls(table) == ["http://10.0.0.1:8080", "http://[fd00::8]:8080", "http://[fd00::9]:8080"])
        #expect(table.readyCount == 3)
    }

    @Test func `the order depends on the addresses alone`() throws {
        let one = table(slice("a", pod(3), pod(1)), slice("b", pod(2)))
        let other = table(slice("b", pod(3)), slice("a", pod(2), pod(1)))
        #expect(try urls(one) == urls(other))
        #expect(try urls(one) == ["http://10.0.0.1:8080", "http://10.0.0.2:8080", "http://10.0.0.3:8080"])
    }

    @Test func `requests without a host name the service, and zones are told`() throws {
        let found = try table(slice("a", pod(1, zone: "eu-1"))).endpoints(of: try service())
        #expect(found[0].authority == "orders.shop.svc" && found[0].zone == "eu-1")
    }

    // MARK: Ports

    @Test(arguments: [
        ("shop/orders:http", ["http://10.0.0.1:8080", "http://10.0.0.2:9080"]),
        ("shop/orders:8080", ["http://10.0.0.1:8080"]),
        ("shop/orders:9090", ["http://10.0.0.1:9090"]),
        ("shop/orders", ["http://10.0.0.2:9080"]),
    ])
    func `a port is found by its name, its number, or because there is no other`(
        _ text: String,
        _ expected: [String]
    ) throws {
        let both = Self.http + [EndpointSlice.Port(name: "metrics", number: 9090)]
        let other = [EndpointSlice.Port(name: "http", number: 9080)]
        let table = table(slice("a", ports: both, pod(1)), slice("b", ports: other, pod(2)))
        #expect(try urls(table, text) == expected)
    }

    @Test func `a slice for every port is for the one that is asked for by number`() throws {
        let table = table(slice("a", ports: [EndpointSlice.Port(number: nil)], pod(1)))
        #expect(try urls(table, "shop/orders:7000") == ["http://10.0.0.1:7000"])
        #expect(throws: KubernetesProblem.noPort(try service("shop/orders"), known: ["every number"])) {
            try table.endpoints(of: try service("shop/orders"))
        }
    }

    @Test(arguments: ["shop/orders:80", "shop/orders:https", "shop/orders"])
    func `a port that no slice has is an error that says which there are`(_ text: String) throws {
        let ports = Self.http + [EndpointSlice.Port(number: 9090)]
        let table = table(slice("a", ports: ports, pod(1)))
        #expect(throws: KubernetesProblem.noPort(try service(text), known: ["9090", "http (8080)"])) {
            try table.endpoints(of: try service(text))
        }
    }

    @Test func `a service without pods has no ports, and that is no error`() throws {
        #expect(try urls(table(slice("a", ports: []))).isEmpty)
        #expect(try urls(EndpointSliceTable()).isEmpty)
    }

    // MARK: Zones

    @Test(
        arguments: [
            ("eu-1", ["1", "2"]), ("eu-2", ["2", "3"]), ("eu-3", ["1", "2", "3"]), (nil, ["1", "2", "3"]),
        ] as [(String?, [String])]
    )
    func `where all have hints, those for our zone take our requests`(_ zone: String?, _ expected: [String]) throws {
        let table = table(slice("a", pod(1, for: "eu-1"), pod(2, for: "eu-2", "eu-1")), slice("b", pod(3, for: "eu-2")))
        #expect(try urls(table, zone: zone) == expected.map { "http://10.0.0.\($0):8080" })
        #expect(table.readyCount == 3)
    }

    @Test func `hints that one lacks hold for nobody`() throws {
        #expect(try urls(table(slice("a", pod(1, for: "eu-1"), pod(2))), zone: "eu-1").count == 2)
        // One that ends has none, and takes nothing anyway.
        let draining = table(slice("a", pod(1, for: "eu-1"), pod(2, for: "eu-2"), pod(3, isReady: false)))
        #expect(try urls(draining, zone: "eu-1") == ["http://10.0.0.1:8080"])
    }
}
