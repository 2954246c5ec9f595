// SPDX-License-Identifier: Apache-2.0
// When requests should be sent here.

import Testing
import Weir
import WeirUpstream

@Suite struct ReadinessTests {
    private static func upstream(_ text: String) throws -> Upstream {
        Upstream(name: "default", endpoints: try EndpointURL.list(text), policy: UpstreamPolicy())
    }

    @Test func `a service without upstreams is ready while it serves`() {
        #expect(Readiness(.starting, upstreams: []) == .starting)
        #expect(Readiness(.serving, upstreams: []) == .ready)
        #expect(Readiness(.draining, upstreams: []) == .draining)
    }

    @Test func `one answer of one endpoint of one upstream is enough, for good`() throws {
        let silent = try Self.upstream("http://127.0.0.1:1")
        let upstream = try Self.upstream("http://127.0.0.1:2,http://127.0.0.1:3")
        let upstreams = [silent, upstream]
        #expect(Readiness(.serving, upstreams: upstreams) == .noEndpointAnswered)
        upstream.endpoints[1].note(.connect)
        #expect(Readiness(.serving, upstreams: upstreams) == .noEndpointAnswered)
        upstream.endpoints[1].noteOpened()
        #expect(Readiness(.serving, upstreams: upstreams) == .ready)
        upstream.endpoints[1].note(.connect)
        #expect(Readiness(.serving, upstreams: upstreams) == .ready)
    }

    @Test func `an upstream whose source has said nothing yet is waited for, beside others that have answered`() throws
    {
        let answered = try Self.upstream("http://127.0.0.1:2")
        answered.endpoints[0].noteOpened()
        for source in ["file:///fails", "file:///lists"] {
            let upstream = Upstream(name: "found", endpoints: [], policy: UpstreamPolicy(), source: source)
            #expect(Readiness(.serving, upstreams: [answered, upstream]) == .awaitingEndpoints)
            if source == "file:///fails" {
                upstream.noteFailure(of: source)
            } else {
                upstream.replace([DiscoveredEndpoint(try EndpointURL(parsing: "http://127.0.0.1:3"))], from: source)
            }
            #expect(Readiness(.serving, upstreams: [answered, upstream]) == .ready)
            #expect(Readiness(.serving, upstreams: [upstream]) == .noEndpointAnswered)
        }
    }

    @Test func `a drain wins over everything`() throws {
        let upstream = try Self.upstream("http://127.0.0.1:2")
        #expect(Readiness(.draining, upstreams: [upstream]) == .draining)
        upstream.endpoints[0].noteOpened()
        #expect(Readiness(.draining, upstreams: [upstream]) == .draining)
    }

    @Test(arguments: [
        (Readiness.ready, "ready\n"), (.starting, "not ready: starting\n"), (.draining, "not ready: draining\n"),
        (.noEndpointAnswered, "not ready: no endpoint has answered yet\n"),
        (.awaitingEndpoints, "not ready: the endpoints of an upstream are not known yet\n"),
    ])
    func `the probe says why`(readiness: Readiness, text: String) {
        #expect(readiness.text == text)
    }
}
