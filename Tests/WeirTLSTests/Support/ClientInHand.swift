// SPDX-License-Identifier: Apache-2.0
// A client's session and what it has sent, as a connection would hold them.

import Testing
import WeirTLS

final class ClientInHand {
    private let session: TLSClientSession
    private let output = UnsafeMutablePointer<[UInt8]>.allocate(capacity: 1)
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private(set) var plain: [UInt8] = []
    private(set) var state = TLSReceived.State.open
    /// Why it failed: of the handshake, or behind it.
    private(set) var failure: HandshakeFailure?
    private(set) var isRefusedLate = false

    init(
        _ context: TLSClientContext,
        to name: String = "one.test",
        resuming sessions: TLSSessionCache? = nil,
        now: Int64? = nil
    ) {
        output.initialize(to: [])
        let append: SessionIO.Output = { argument, bytes, count in
            argument.assumingMemoryBound(to: [UInt8].self).pointee += UnsafeRawBufferPointer(start: bytes, count: count)
        }
        session =
            if let now {
                TLSClientSession(context, to: name, resuming: sessions, output: append, output, now: now)!
            } else {
                TLSClientSession(context, to: name, resuming: sessions, output: append, output)!
            }
        let hasBegun = session.start()
        #expect(hasBegun)
    }

    deinit {
        output.deinitialize(count: 1)
        output.deallocate()
        room.deallocate()
    }

    var isEstablished: Bool { session.isEstablished }
    var isResumed: Bool { session.isResumed }

    func receive(_ bytes: [UInt8]) {
        guard state == .open else { return }
        let received = bytes.withUnsafeBytes { session.receive($0, into: room) }
        plain += room[..<received.count]
        state = received.state
        guard case .failed(let fault) = state else { return }
        failure = session.failure(fault)
        isRefusedLate = session.isLateRefusal(fault)
    }

    func send(_ text: String) -> Bool { Array(text.utf8).withUnsafeBytes { session.send($0) } }

    func end() { session.end() }

    func takeOutput() -> [UInt8] {
        defer { output.pointee = [] }
        return output.pointee
    }

    /// Moves bytes between the two until neither has any.
    func exchange(with server: some TestPeer, pieces: Int = .max) {
        while true {
            let fromClient = takeOutput()
            server.receive(fromClient)
            let fromServer = server.takeOutput()
            guard !fromServer.isEmpty || !fromClient.isEmpty else { return }
            var start = 0
            while start < fromServer.count {
                let end = pieces == .max ? fromServer.count : min(fromServer.count, start + pieces)
                receive(Array(fromServer[start..<end]))
                start = end
            }
        }
    }
}

/// The other side of a connection in memory.
protocol TestPeer {
    func receive(_ bytes: [UInt8])
    func takeOutput() -> [UInt8]
}

extension TestServer: TestPeer {}
