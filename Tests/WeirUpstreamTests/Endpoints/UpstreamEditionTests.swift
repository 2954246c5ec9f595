// SPDX-License-Identifier: Apache-2.0

import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct UpstreamEditionTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"
    private static let source = "file:///endpoints"

    private static func urls(_ numbers: ClosedRange<UInt32>) -> [EndpointURL] {
        numbers.map { EndpointURL(place: .address(.ipv4($0, port: 80))) }
    }

    private static func found(_ numbers: ClosedRange<UInt32>) -> [DiscoveredEndpoint] {
        urls(numbers).map { DiscoveredEndpoint($0) }
    }

    @Test func `a draft changes nothing before its configuration is in force`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0])
        let former = test[0]
        var policy = test.upstream.policy
        policy.connectionsMax = 7
        let draft = test.upstream.draft([endpoints[1].url], policy: policy)
        _ = test.upstream.reweigh(at: 1)
        test.turn()
        let request = test.request()
        #expect(request.lease() == .leased)
        #expect(request.connection?.endpoint === former)
        #expect(test.upstream.policy.connectionsMax == 1024)
        // A loop that has the new snapshot goes by it, whether the upstream has begun it or not.
        test.pool.adopt(draft.edition)
        let next = test.request()
        #expect(next.lease() == .leased)
        #expect(next.connection?.endpoint === draft.edition.endpointSet.endpoints[0])
        #expect(test.upstream.endpoints[0] === former)
        test.upstream.begin(draft)
        #expect(test.upstream.edition === draft.edition)
        #expect(test.upstream.policy.connectionsMax == 7)
    }

    @Test func `a request goes by the edition that it began with, over any number of them`() throws {
        let endpoints = try (0..<4).map { _ in try ScriptedEndpoint() }
        let test = try PoolInHand(endpoints[0])
        let (began, gone) = (test.upstream.edition, test[0])
        let first = test.request()
        first.begin()
        test.turn()
        let peer = try endpoints[0].accept()
        peer.send(Self.answer)
        test.turn(until: "it is answered") { first.isOver }
        for next in 1..<4 { test.replace([endpoints[next].url], policy: test.upstream.policy) }
        // The slot is another's by now, and so is the unused connection in it.
        let present = test.request()
        present.begin()
        test.turn()
        let presentPeer = try endpoints[3].accept()
        presentPeer.send(Self.answer)
        test.turn(until: "it is answered") { present.isOver }
        let late = test.request()
        #expect(late.lease(edition: began) == .leased)
        #expect(late.connection?.endpoint === gone)
        #expect(late.connection !== present.connection)
        late.send()
        test.turn()
        let latePeer = try endpoints[0].accept()
        latePeer.send(Self.answer)
        test.turn(until: "it is answered") { late.isOver }
        // Nobody would take it.
        #expect(latePeer.receivesEnd())
        #expect(gone.connectionCount == 0)
        let next = test.request()
        #expect(next.lease() == .leased)
        #expect(next.connection === present.connection)
    }

    @Test func `who waits for an endpoint that is gone gets it, and holds nobody up`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0]) { $0.connectionsMax = 1 }
        let began = test.upstream.edition
        let first = test.request()
        first.begin()
        test.turn()
        let peer = try endpoints[0].accept()
        let former = test.request()
        former.onAvailable = { [unowned former] in former.lease(edition: began) }
        #expect(former.lease(edition: began) == .waits)
        test.replace([endpoints[1].url], policy: test.upstream.policy)
        let present = test.request()
        #expect(present.lease() == .leased)
        let waiting = test.request()
        #expect(waiting.lease() == .waits)
        present.connection?.cancel()
        test.turn()
        #expect(waiting.answers == [.waits, .leased])
        #expect(former.answers.allSatisfy { $0 == .waits })
        peer.send(Self.answer)
        test.turn(until: "its place is free") { former.answers.last == .leased }
        #expect(former.connection?.endpoint === first.connection?.endpoint)
    }

    @Test func `who waits under a former edition is not tried again before a place is free`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0]) { $0.connectionsMax = 1 }
        let began = test.upstream.edition
        let first = test.request()
        first.begin()
        test.turn()
        let peer = try endpoints[0].accept()
        let former = (0..<3).map { _ in test.request() }
        for request in former {
            request.onAvailable = { [unowned request] in request.lease(edition: began) }
            #expect(request.lease(edition: began) == .waits)
        }
        // The other endpoint has a place all the time.
        test.replace([endpoints[1].url], policy: test.upstream.policy)
        test.turn(50)
        #expect(former.allSatisfy { $0.answers == [.waits] })
        peer.send(Self.answer)
        test.turn(until: "its place is free") { former[0].answers == [.waits, .leased] }
        #expect(former[1].answers.allSatisfy { $0 == .waits } && former[2].answers.allSatisfy { $0 == .waits })
    }

    @Test func `who waits beside an endpoint that is left alone is not tried again before a place is free`() throws {
        let endpoints = [try ScriptedEndpoint(), try ScriptedEndpoint()]
        let test = try PoolInHand(endpoints[0], endpoints[1]) { $0.connectionsMax = 1 }
        test.upstream.endpoints[1].condition.note(.critical, output: "")
        _ = test.upstream.reweigh(at: 1)
        test.turn()
        test.request().begin()
        test.turn()
        let peer = try endpoints[0].accept()
        let waiting = test.request()
        #expect(waiting.lease() == .waits)
        test.turn(50)
        #expect(waiting.answers == [.waits])
        peer.send(Self.answer)
        test.turn(until: "its place is free") { waiting.answers == [.waits, .leased] }
    }

    @Test func `the first word of a source is for those, too, who began before a reload`() throws {
        let endpoint = try ScriptedEndpoint()
        let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: Self.source)
        let test = try PoolInHand(upstream)
        let began = upstream.edition
        let waiting = test.request()
        waiting.onAvailable = { [unowned waiting] in waiting.lease(edition: began) }
        #expect(waiting.lease(edition: began) == .waits)
        var policy = UpstreamPolicy()
        policy.waitingMax = 5
        upstream.begin(upstream.draft([], policy: policy, source: Self.source))
        test.pool.adopt(upstream.edition)
        test.turn()
        let late = test.request()
        late.onAvailable = { [unowned late] in late.lease(edition: began) }
        #expect(late.lease(edition: began) == .waits)
        upstream.replace([DiscoveredEndpoint(endpoint.url)], from: Self.source)
        test.turn()
        #expect(waiting.answers.last == .leased && late.answers.last == .leased)
    }

    @Test func `a configuration that says the same keeps the edition`() {
        let upstream = Upstream(name: "test", endpoints: Self.urls(1...3), policy: UpstreamPolicy())
        #expect(upstream.draft(Self.urls(1...3), policy: UpstreamPolicy()).edition === upstream.edition)
        #expect(upstream.draft(Self.urls(1...2), policy: UpstreamPolicy()).edition !== upstream.edition)
        #expect(upstream.draft([], policy: UpstreamPolicy(), source: Self.source).edition !== upstream.edition)
        let heavier = Self.urls(1...3).map { EndpointURL(place: $0.place, weight: 2) }
        #expect(upstream.draft(heavier, policy: UpstreamPolicy()).edition !== upstream.edition)
    }

    @Test func `what a source lists while a configuration is compiled is not lost`() {
        let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: Self.source)
        upstream.replace(Self.found(1...2), from: Self.source)
        var policy = UpstreamPolicy()
        policy.waitingMax = 5
        let draft = upstream.draft([], policy: policy, source: Self.source)
        upstream.replace(Self.found(2...4), from: Self.source)
        let listed = upstream.endpoints
        upstream.begin(draft)
        #expect(upstream.endpoints.elementsEqual(listed) { $0 === $1 })
        #expect(upstream.policy.waitingMax == 5)
    }

    @Test func `a source that the configuration no longer names has no word`() {
        let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: Self.source)
        #expect(upstream.replace(Self.found(1...2), from: Self.source))
        upstream.begin(upstream.draft(Self.urls(7...7), policy: UpstreamPolicy()))
        #expect(!upstream.replace(Self.found(1...3), from: Self.source))
        #expect(upstream.endpoints.map(\.url) == Self.urls(7...7))
        upstream.begin(upstream.draft([], policy: UpstreamPolicy(), source: "file:///others"))
        #expect(!upstream.replace(Self.found(1...3), from: Self.source))
        #expect(upstream.endpoints.map(\.url) == Self.urls(7...7))
    }

    /// Which of the two a thread is at. Relaxed: the test only counts.
    private final class Building: Sendable {
        let isOn = Atomic<Bool>(false)
        let isDone = Atomic<Bool>(false)
        let looks = Atomic<Int>(0)
    }

    @Test func `whoever looks at the endpoints does not wait for a table that is built`() {
        var policy = UpstreamPolicy()
        policy.balancing = .maglev
        let upstream = Upstream(name: "test", endpoints: Self.urls(1...1000), policy: policy)
        let building = Building()
        inThreads(2) { [policy] thread in
            if thread == 0 {
                building.isOn.store(true, ordering: .relaxed)
                for _ in 0..<4 { _ = upstream.draft(Self.urls(2...1001), policy: policy) }
                building.isOn.store(false, ordering: .relaxed)
                building.isDone.store(true, ordering: .relaxed)
            } else {
                while !building.isDone.load(ordering: .relaxed) {
                    let began = building.isOn.load(ordering: .relaxed)
                    _ = upstream.endpointSet
                    if began, building.isOn.load(ordering: .relaxed) {
                        building.looks.wrappingAdd(1, ordering: .relaxed)
                    }
                }
            }
        }
        // Four builds take tens of milliseconds, a look takes less than one.
        #expect(building.looks.load(ordering: .relaxed) > 100)
    }

    @Test func `requests wait for the first word of a source: endpoints, or that it cannot be read`() throws {
        for isRead in [true, false] {
            let endpoint = try ScriptedEndpoint()
            let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: Self.source)
            #expect(upstream.edition.awaitsEndpoints)
            let test = try PoolInHand(upstream)
            let waiting = test.request()
            #expect(waiting.lease() == .waits)
            test.turn()
            #expect(waiting.availableCount == 0)
            // Another source's word is none.
            upstream.noteFailure(of: "file:///others")
            test.turn()
            #expect(waiting.availableCount == 0)
            if isRead {
                upstream.replace([DiscoveredEndpoint(endpoint.url)], from: Self.source)
            } else {
                upstream.noteFailure(of: Self.source)
            }
            test.turn()
            #expect(waiting.answers == [.waits, isRead ? .leased : .unavailable])
            #expect(!upstream.edition.awaitsEndpoints)
            #expect(test.request().lease() == (isRead ? .leased : .unavailable))
        }
    }

    @Test func `what was heard of a source before a configuration counts behind it`() {
        let upstream = Upstream(name: "test", endpoints: [], policy: UpstreamPolicy(), source: Self.source)
        var policy = UpstreamPolicy()
        policy.waitingMax = 5
        let draft = upstream.draft([], policy: policy, source: Self.source)
        #expect(draft.edition.awaitsEndpoints)
        upstream.noteFailure(of: Self.source)
        #expect(!upstream.draft([], policy: policy, source: Self.source).edition.awaitsEndpoints)
        upstream.begin(draft)
        #expect(!upstream.edition.awaitsEndpoints)
        // Another source may have more to say.
        #expect(upstream.draft([], policy: policy, source: "file:///others").edition.awaitsEndpoints)
        // One that begins with endpoints has somebody to ask.
        upstream.replace(Self.found(1...2), from: Self.source)
        #expect(!upstream.draft([], policy: policy, source: "file:///others").edition.awaitsEndpoints)
    }
}
