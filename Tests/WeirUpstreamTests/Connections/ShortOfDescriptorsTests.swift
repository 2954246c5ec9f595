// SPDX-License-Identifier: Apache-2.0
// Requests for which this process can open no connection: no descriptor is left to it.

import Testing
import WeirEventLoop
import WeirUpstream

@Suite struct ShortOfDescriptorsTests {
    private static let answer = "HTTP/1.1 204 No Content\r\n\r\n"

    /// A little more than the timers' grain.
    private static let interval = Duration.nanoseconds(Int64(UpstreamPool.lookAgainInterval) + 2_000_000)

    /// Keeps every descriptor back from the loop's connections, or none.
    private func keepBack(_ isKept: Bool, _ test: PoolInHand) {
        test.loop.acceptPolicy = AcceptPolicy(
            loops: [test.loop],
            connectionsMax: .max,
            descriptorsHigh: .max,
            descriptorsMax: isKept ? 0 : .max
        )
    }

    @Test func `a request waits, and no endpoint is blamed`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint) { $0.waitingMax = 1 }
        keepBack(true, test)
        let request = test.request()
        #expect(request.lease() == .waits)
        #expect(test.request().lease() == .full, "within the bound of those who wait")
        #expect(test[0].connectionCount == 0)
        #expect(test.failures("connect") ?? 0 == 0)
        test.pool.stopWaiting(request.taker)
        #expect(test.pool.waitingCount == 0)
    }

    @Test func `a connection that is given back serves who waits, in the order of coming`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        let first = test.request()
        first.begin()
        let peer = try endpoint.accept()
        test.turn()
        keepBack(true, test)
        var served: [Int] = []
        let waiting = (0..<3).map { number in
            let request = test.request()
            request.onAvailable = { [unowned request] in
                if request.lease() == .leased {
                    served.append(number)
                    request.send()
                }
            }
            return request
        }
        for request in waiting { #expect(request.lease() == .waits) }
        for count in 1...4 {
            peer.send(Self.answer)
            test.turn()
            #expect(served == Array((0..<3).prefix(count)))
        }
        #expect(test.pool.waitingCount == 0)
        #expect(test[0].openedCount == 1)
    }

    @Test func `a descriptor that somebody else frees is found without being told`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        keepBack(true, test)
        let requests = (0..<3).map { _ in test.request() }
        for request in requests { #expect(request.lease() == .waits) }
        for looks in 1...3 {
            test.advance(by: Self.interval)
            #expect(requests.map(\.availableCount) == [looks, 0, 0], "one of them tries")
        }
        keepBack(false, test)
        test.advance(by: Self.interval)
        #expect(requests.allSatisfy { $0.answers.last == .leased })
        #expect(test.pool.waitingCount == 0)
        #expect(test[0].connectionCount == 3)
        endpoint.close()
    }

    @Test func `those who wait for an endpoint that is gone by then are told, one at each look`() throws {
        let endpoint = try ScriptedEndpoint()
        let test = try PoolInHand(endpoint)
        keepBack(true, test)
        let requests = (0..<3).map { _ in test.request() }
        for request in requests { #expect(request.lease() == .waits) }
        endpoint.close()
        keepBack(false, test)
        for failed in 1...3 {
            test.advance(by: Self.interval)
            #expect(requests.count { $0.answers.last == .failed(.connect) } == failed)
        }
        #expect(test.pool.waitingCount == 0)
    }

    @Test func `a pool that ends while it would look again is let go`() throws {
        let test = try PoolInHand(ScriptedEndpoint())
        keepBack(true, test)
        #expect(test.request().lease() == .waits)
        test.end()
        #expect(test.pool.waitingCount == 0)
    }
}
