// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirUpstream

@Suite struct EndpointHealthTests {
    private static let source = "file:///endpoints"

    private static func found(_ number: UInt32, _ health: DiscoveredHealth?, _ warningWeight: Int? = nil)
        -> DiscoveredEndpoint
    {
        DiscoveredEndpoint(
            EndpointURL(place: .address(.ipv4(number, port: 80)), weight: 5),
            warningWeight: warningWeight,
            health: health
        )
    }

    private static func upstream(_ found: [DiscoveredEndpoint]) -> Upstream {
        let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: Self.source)
        upstream.replace(found, from: Self.source)
        return upstream
    }

    @Test func `an endpoint that nobody has checked is unknown`() {
        #expect(Endpoint(EndpointURL(place: .name("a", port: 80))).health == .unknown)
    }

    @Test(arguments: [
        (EndpointHealth.passing, DiscoveredHealth?.none, EndpointHealth.passing), (.passing, .warning, .warning),
        (.critical, .passing, .critical), (.warning, .critical, .critical), (.unknown, .passing, .passing),
        (.unknown, nil, .unknown),
    ])
    func `the worse of check and source counts`(
        checked: EndpointHealth,
        listed: DiscoveredHealth?,
        health: EndpointHealth
    ) throws {
        let upstream = Self.upstream([Self.found(1, listed)])
        let endpoint = try #require(upstream.endpoints.first)
        endpoint.condition.note(checked, output: "HTTP 200")
        #expect(endpoint.health == health)
        #expect(endpoint.condition.checkOutput == "HTTP 200")
    }

    @Test(arguments: [
        (DiscoveredHealth?.none, Int?.none, 15.0, EndpointHealth.unknown), (.passing, nil, 15, .passing),
        (.warning, nil, 10, .warning), (.passing, 1, 5, .passing), (.warning, 1, 1, .warning),
        (.warning, 0, 0, .critical),
        (.critical, 1, 0, .critical),
    ])
    func `a source's word makes weight and health`(
        health: DiscoveredHealth?,
        warningWeight: Int?,
        weight: Double,
        expected: EndpointHealth
    ) {
        var policy = UpstreamPolicy()
        policy.panic = PanicThreshold(percent: 0)
        policy.passingWeight = 3
        policy.warningWeight = 2
        let upstream = Upstream(name: "test", endpoints: [], policy: policy, source: Self.source)
        upstream.replace([Self.found(1, health, warningWeight)], from: Self.source)
        #expect(upstream.endpointSet.table.entries.map(\.weight.value) == [weight])
        #expect(upstream.endpoints.map(\.health) == [expected])
    }

    @Test func `an endpoint that is listed again keeps what its check says`() throws {
        let upstream = Self.upstream([Self.found(1, nil), Self.found(2, nil)])
        let second = upstream.endpoints[1]
        second.condition.note(.critical, output: "")
        upstream.replace([Self.found(3, nil), Self.found(2, .passing)], from: Self.source)
        #expect(upstream.endpoints[1] === second)
        #expect(upstream.endpoints.map(\.health) == [.unknown, .critical])
    }

    @Test func `an endpoint under another name is another`() throws {
        var found = Self.found(1, nil)
        found.authority = "a.test:80"
        let upstream = Self.upstream([found])
        let former = upstream.endpoints[0]
        #expect(former.authorityBytes.elementsEqual("a.test:80".utf8))
        found.authority = "b.test:80"
        upstream.replace([found], from: Self.source)
        #expect(upstream.endpoints[0] !== former)
        #expect(upstream.endpoints[0].authorityBytes.elementsEqual("b.test:80".utf8))
    }

    @Test func `a policy that changes leaves the endpoints as they are`() {
        let upstream = Self.upstream([Self.found(1, .warning, 3)])
        let endpoint = upstream.endpoints[0]
        var policy = UpstreamPolicy()
        policy.connectionsMax = 7
        upstream.begin(upstream.draft([], policy: policy, source: Self.source))
        #expect(upstream.policy.connectionsMax == 7)
        #expect(upstream.endpoints[0] === endpoint)
        #expect(upstream.endpointSet.configuredWeights == [ConfiguredWeight(5, warning: 3)])
    }
}
