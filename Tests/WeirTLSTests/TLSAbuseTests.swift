// SPDX-License-Identifier: Apache-2.0

import COpenSSL
import Testing
import WeirTLS

@Suite("TLS abuse") struct TLSAbuseTests {
    private func server() throws -> TestServer {
        TestServer(try TLSContext([Pairs.pair(Pairs.one)], lowest: .tls12, tickets: TicketKeys([TicketKeys.Key()])))
    }

    private func hello(_ client: TestClient) -> [UInt8] {
        _ = client.receive([])
        return client.takeOutput()
    }

    // MARK: ClientHello

    @Test("A ClientHello may be cut at each of its bytes", arguments: [TLS1_2_VERSION, TLS1_3_VERSION])
    func cut(_ highest: Int32) throws {
        let context = try TLSContext([Pairs.pair(Pairs.one)], lowest: .tls12, tickets: TicketKeys([TicketKeys.Key()]))
        for cut in 1..<hello(TestClient(.init(highest: highest))).count {
            let server = TestServer(context)
            let client = TestClient(.init(highest: highest))
            let hello = hello(client)
            server.receive(Array(hello[..<cut]))
            server.receive(Array(hello[cut...]))
            _ = client.receive(server.takeOutput())
            server.exchange(with: client)
            #expect(server.isEstablished)
        }
    }

    @Test("One that announces more than 16 KiB is refused before the rest of it comes", arguments: [1, .max])
    func announced(pieces: Int) throws {
        for (count, isRefused) in [(16 << 10, false), (16 << 10 + 1, true), (131_000, true)] {
            let server = try server()
            let bytes: [UInt8] = [22, 3, 1, 1, 0, 1, UInt8(count >> 16), UInt8(count >> 8 & 255), UInt8(count & 255)]
            for start in stride(from: 0, to: bytes.count, by: min(pieces, bytes.count)) {
                server.receive(Array(bytes[start..<min(bytes.count, pieces == .max ? .max : start + pieces)]))
            }
            #expect(server.state == (isRefused ? .failed(.helloTooLarge) : .open))
            // An alert says so: illegal_parameter.
            #expect(server.takeOutput() == (isRefused ? [21, 3, 3, 0, 2, 2, 47] : []))
        }
    }

    @Test("One that is as long as may be passes, in whatever records it comes", arguments: [100, 4000, 16_000])
    func long(recordBytes: Int) throws {
        let names = [UInt8](repeating: 255, count: 256)
        let applications = Array("\u{8}http/1.1".utf8) + Array(repeatElement(names, count: 58).joined())
        let client = TestClient(.init(applications: applications))
        let whole = hello(client)
        let message = Array(whole[5...])
        #expect(message.count > 15_000)
        var cut: [UInt8] = []
        for start in stride(from: 0, to: message.count, by: recordBytes) {
            let part = message[start..<min(message.count, start + recordBytes)]
            cut += [22, 3, 1, UInt8(part.count >> 8), UInt8(part.count & 255)] + part
        }
        let server = try server()
        server.receive(cut)
        _ = client.receive(server.takeOutput())
        server.exchange(with: client)
        #expect(server.isEstablished)
    }

    @Test("One whose length is hidden, by a cut within its header or behind an alert, is refused")
    func hidden() throws {
        for bytes: [UInt8] in [
            [22, 3, 1, 0, 1, 1, 22, 3, 1, 0, 8, 2, 0, 0],
            [21, 3, 1, 0, 2, 1, 0, 22, 3, 1, 1, 0, 1, 2, 0, 0],
            [20, 3, 3, 0, 1, 1, 22, 3, 1, 1, 0, 1, 2, 0, 0],
        ] {
            let server = try server()
            server.receive(bytes)
            guard case .failed = server.state else {
                Issue.record("not refused: \(bytes)")
                return
            }
        }
    }

    @Test("The second, behind another choice of group, is bounded like the first")
    func second() throws {
        for isLong in [false, true] {
            let server = try server()
            let client = TestClient(.init(groups: "P-521:X25519"))
            server.receive(hello(client))
            _ = client.receive(server.takeOutput())
            var bytes = client.takeOutput()
            if isLong {
                // Behind a change of cipher spec, which middleboxes like to see.
                let start = bytes.prefix(6) == [20, 3, 3, 0, 1, 1] ? 6 : 0
                bytes.replaceSubrange((start + 6)..<(start + 9), with: [1, 255, 255])
            }
            server.receive(bytes)
            _ = client.receive(server.takeOutput())
            guard !isLong else {
                #expect(server.state == .failed(.helloTooLarge))
                continue
            }
            server.exchange(with: client)
            #expect(server.isEstablished)
        }
    }

    // MARK: Messages behind the handshake

    @Test("New keys are made as often as a client likes that also has something to say")
    func newKeys() throws {
        let server = try server()
        let client = TestClient()
        server.exchange(with: client)
        for _ in 0..<100 {
            client.updateKeys()
            client.send([1])
            server.exchange(with: client)
        }
        #expect(server.state == .open)
        #expect(server.plain.count == 100)
        #expect(server.send(Array("answer".utf8)))
        #expect(server.exchange(with: client) == Array("answer".utf8))
    }

    @Test("New keys again and again, and nothing else, end the session", arguments: [true, false])
    func flood(isAtOnce: Bool) throws {
        let server = try server()
        let client = TestClient()
        server.exchange(with: client)
        for _ in 0..<40 {
            client.updateKeys()
            if !isAtOnce { server.exchange(with: client) }
        }
        server.receive(client.takeOutput())
        #expect(server.state == .failed(.flood))
    }

    @Test("Another handshake is not begun, and the session goes on")
    func renegotiation() throws {
        let server = try server()
        let client = TestClient(.init(highest: TLS1_2_VERSION))
        server.exchange(with: client)
        client.renegotiate()
        server.receive(client.takeOutput())
        #expect(server.state == .open)
        // The alert that it is not to be had.
        #expect(!server.takeOutput().isEmpty)
        #expect(server.send(Array("answer".utf8)))
    }
}
