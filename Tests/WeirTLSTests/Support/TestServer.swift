// SPDX-License-Identifier: Apache-2.0
// A server's session and what it has sent, as a connection would hold them.

import WeirTLS

final class TestServer {
    private let session: TLSSession
    private let output = UnsafeMutablePointer<[UInt8]>.allocate(capacity: 1)
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private(set) var plain: [UInt8] = []
    private(set) var state = TLSReceived.State.open
    /// What of the plain bytes came before the handshake was done.
    private(set) var early: [UInt8] = []

    init(_ context: TLSContext) {
        output.initialize(to: [])
        session = TLSSession(
            accepting: context,
            output: { argument, bytes, count in
                argument.assumingMemoryBound(to: [UInt8].self).pointee += UnsafeRawBufferPointer(
                    start: bytes,
                    count: count
                )
            },
            output
        )!
    }

    deinit {
        output.deinitialize(count: 1)
        output.deallocate()
        room.deallocate()
    }

    var isEstablished: Bool { session.isEstablished }
    var isResumed: Bool { session.isResumed }
    var peerCertificate: PeerCertificate? { session.peerCertificate }

    func receive(_ bytes: [UInt8]) {
        let received = bytes.withUnsafeBytes { session.receive($0, into: room) }
        plain += room[..<received.count]
        if received.isEarly { early += room[..<received.count] }
        state = received.state
    }

    func send(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { session.send($0) } }

    func end() { session.end() }

    func takeOutput() -> [UInt8] {
        defer { output.pointee = [] }
        return output.pointee
    }

    /// Moves bytes between the two until neither has any; answers what the client got, decrypted.
    @discardableResult func exchange(with client: TestClient, pieces: Int = .max) -> [UInt8] {
        var plain: [UInt8] = []
        plain += client.receive([])
        while true {
            let fromClient = client.takeOutput()
            var start = 0
            while start < fromClient.count {
                let end = min(fromClient.count, pieces == .max ? .max : start + pieces)
                receive(Array(fromClient[start..<end]))
                start = end
            }
            let fromServer = takeOutput()
            guard !fromServer.isEmpty || !fromClient.isEmpty else { return plain }
            plain += client.receive(fromServer)
        }
    }
}
