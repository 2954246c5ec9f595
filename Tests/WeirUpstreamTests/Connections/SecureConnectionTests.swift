// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirEventLoop
import WeirHTTP
import WeirTLS
import WeirUpstream

@Suite struct SecureConnectionTests {
    private static let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"

    private let endpoint: ScriptedEndpoint
    private let context: TLSContext

    init() throws {
        endpoint = try ScriptedEndpoint()
        context = try SecureWorld.server()
    }

    private func pool(
        _ client: TLSClient? = nil,
        change: (inout UpstreamPolicy) -> Void = { _ in }
    ) throws -> PoolInHand {
        var policy = UpstreamPolicy()
        policy.circuit = nil
        policy.tls = try client ?? SecureWorld.client()
        change(&policy)
        return try PoolInHand(Upstream(name: "test", endpoints: [endpoint.secureURL], policy: policy))
    }

    /// Moves bytes between the two until the handshake is done.
    private func shake(_ test: PoolInHand, _ peer: SecurePeer) {
        test.turn(until: "the handshake is done") {
            peer.peer.send(peer.take())
            return peer.isEstablished
        }
        test.turn()
    }

    private func accept(_ test: PoolInHand) throws -> SecurePeer {
        test.turn()
        return SecurePeer(try endpoint.accept(), context)
    }

    @Test func `a request is sent when both sides have agreed, and its connection serves the next`() throws {
        let test = try pool()
        let first = test.request()
        first.begin()
        let peer = try accept(test)
        #expect(first.connectedCount == 0)
        #expect(first.connection?.channel.isConnecting == true)
        shake(test, peer)
        #expect(first.connectedCount == 1)
        #expect(first.connection?.channel.isConnecting == false)
        peer.peer.send(peer.take())
        #expect(peer.text.hasPrefix("GET / HTTP/1.1"))
        peer.peer.send(peer.encrypted(Self.answer))
        test.turn()
        #expect(first.text == "ok")
        #expect(first.endedCount == 1)
        let second = test.request()
        second.begin()
        #expect(second.connection === first.connection)
        #expect(test.upstream.report.handshakes.count(resumed: false) == 1)
        #expect(test[0].openedCount == 1)
    }

    @Test func `bytes of the handshake and of the answer may come one by one`() throws {
        let test = try pool()
        let request = test.request()
        request.begin()
        let peer = try accept(test)
        for bytes in [{ peer.take() }, { peer.take() }, { peer.encrypted(Self.answer) }].lazy.map({ $0() }) {
            for byte in bytes {
                peer.peer.send([byte])
                test.turn(1)
            }
            test.turn()
        }
        #expect(request.text == "ok")
    }

    @Test func `a certificate of another is no byte sent, and is said once in a while`() throws {
        let test = try pool(SecureWorld.client("other.test"))
        for expected in [1, 0] {
            let request = test.request()
            request.begin()
            let peer = try accept(test)
            test.turn(until: "the endpoint is refused") {
                peer.peer.send(peer.take())
                return request.isOver
            }
            #expect(request.faults == [.tls])
            #expect(peer.text.isEmpty)
            let said = test.upstream.reweigh(at: 1).compactMap { event in
                if case .handshake(_, let failure) = event { failure } else { nil }
            }
            #expect(said.map(\.fault) == [HandshakeFault](repeating: .wrongName, count: expected))
        }
        #expect(test.failures("tls") == 2)
        #expect(test.upstream.report.handshakes[.wrongName] == 2)
        #expect(!test.upstream.hasAnswered)
        #expect(test[0].connectionCount == 0)
    }

    @Test func `faults that come and go are each said once in a while, whatever their texts`() throws {
        let test = try pool()
        var said: [HandshakeFault] = []
        func fail(_ fault: HandshakeFault, at now: Nanoseconds) throws {
            try #require(test[0].handshakes).note(HandshakeFailure(fault, "text \(now)"))
            for case .handshake(_, let failure) in test.upstream.reweigh(at: now) { said.append(failure.fault) }
        }
        for second in 0..<20 {
            try fail(.expired, at: Nanoseconds(second) * 500_000_000)
            try fail(.wrongName, at: Nanoseconds(second) * 500_000_000 + 1)
        }
        #expect(said == [.expired, .wrongName])
        try fail(.wrongName, at: 10_000_000_001)
        #expect(said.count == 3)
    }

    @Test func `the time to connect is that of the handshake, too`() throws {
        let test = try pool { $0.connectTimeout = 1_000_000_000 }
        let request = test.request()
        request.begin()
        let peer = try accept(test)
        // It goes on, but is not done in time.
        test.advance(by: .milliseconds(900))
        peer.peer.send(peer.take().prefix(100))
        test.turn()
        #expect(request.faults.isEmpty)
        test.advance(by: .milliseconds(200))
        #expect(request.faults == [.connectTimeout])
        #expect(test.upstream.report.handshakes[.timeout] == 1)
        #expect(test[0].handshakes?.takeFailure()?.fault == .timeout)
    }

    @Test(arguments: [true, false])
    func `an end in the handshake is the endpoint's failure`(isWhole: Bool) throws {
        let test = try pool()
        let request = test.request()
        request.begin()
        let peer = try accept(test)
        peer.peer.send(peer.take().prefix(isWhole ? 0 : 200))
        peer.peer.close()
        test.turn(until: "the end is seen") { request.isOver }
        #expect(request.faults == [.tls])
        #expect(test.upstream.report.handshakes[.closed] == 1)
    }

    @Test(arguments: [true, false])
    func `a body that ends with the connection is whole where the end is told`(isTold: Bool) throws {
        let test = try pool()
        let request = test.request()
        request.begin()
        let peer = try accept(test)
        shake(test, peer)
        peer.peer.send(peer.encrypted("HTTP/1.1 200 OK\r\n\r\nhalf"))
        if isTold { peer.peer.send(peer.ending()) }
        peer.peer.close()
        test.turn(until: "the end is seen") { request.isOver }
        #expect(request.text == "half")
        #expect(request.endedCount == (isTold ? 1 : 0))
        #expect(request.faults == (isTold ? [] : [.reset]))
    }

    @Test func `unused connections end where TLS is another`() throws {
        let test = try pool()
        let request = test.request()
        request.begin()
        let peer = try accept(test)
        shake(test, peer)
        peer.peer.send(peer.encrypted(Self.answer))
        test.turn()
        #expect(test[0].connectionCount == 1)
        var policy = test.upstream.policy
        policy.tls = try SecureWorld.client()
        test.replace([endpoint.secureURL], policy: policy)
        test.turn()
        #expect(test[0].connectionCount == 0)
    }

    @Test func `a connection resumes what a former one has left, unless the files are others`() throws {
        let client = try SecureWorld.client()
        let test = try pool(client)
        func run() throws -> Bool {
            let request = test.request()
            request.begin()
            let peer = try accept(test)
            shake(test, peer)
            peer.peer.send(peer.encrypted("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"))
            test.turn(until: "it is answered") { request.isOver }
            test.turn()
            return peer.isResumed
        }
        #expect(try !run())
        #expect(try run())
        client.replace(by: try SecureWorld.client().context)
        #expect(try !run())
        #expect(try run())
        #expect(test.upstream.report.handshakes.count(resumed: true) == 2)
    }

    @Test func `an endpoint of https is not spoken to without TLS`() throws {
        let test = try pool { $0.tls = nil }
        #expect(test.request().lease() == .failed(.connect))
        #expect(test.failures("tls") == 1)
        #expect(endpoint.acceptPresent() == nil)
        #expect(test[0].handshakes?.takeFailure()?.fault == .notSetUp)
    }
}
