// SPDX-License-Identifier: Apache-2.0
// The endpoint's end of a connection that is spoken TLS on, and what makes endpoints and their clients fit.

import Glibc
import Testing
import WeirEventLoop
import WeirTLS
import WeirTestSupport
import WeirUpstream

/// A CA, an endpoint's certificate that it has signed, and what clients and servers make of them.
enum SecureWorld {
    static let authority = make(.init(name: "CA"), nil)
    static let shop = make(.init(name: "shop", alternativeNames: "DNS:shop.test"), authority)

    private static func make(_ plan: MadeCertificate.Plan, _ issuer: MadeCertificate?) -> MadeCertificate {
        do { return try MadeCertificate(plan, issuer: issuer) } catch { fatalError("\(error)") }
    }

    /// A client that takes an endpoint for its own where that is `name`.
    static func client(_ name: String = "shop.test") throws -> TLSClient {
        var settings = TLSClientSettings()
        settings.serverName = name
        let file = PEMFile(name: "ca.crt", bytes: authority.certificate)
        return TLSClient(settings, try TLSClientContext(.against(file)))
    }

    static func server() throws -> TLSContext {
        let pair = try CertificatePair(
            certificate: PEMFile(name: "tls.crt", bytes: shop.certificate),
            key: PEMFile(name: "tls.key", bytes: shop.key),
            now: Int64(time(nil))
        )
        return try TLSContext([pair], lowest: .tls12, tickets: TicketKeys([TicketKeys.Key()]))
    }
}

extension ScriptedEndpoint {
    var secureURL: EndpointURL { EndpointURL(scheme: .https, place: url.place, weight: url.weight) }
}

/// A server's session over a scripted connection; the test says when it looks at what has come.
final class SecurePeer {
    let peer: ScriptedPeer
    private let session: TLSSession
    private let output = UnsafeMutablePointer<[UInt8]>.allocate(capacity: 1)
    private let room = UnsafeMutableRawBufferPointer.allocate(byteCount: 256 << 10, alignment: 16)
    private(set) var text = ""

    init(_ peer: ScriptedPeer, _ context: TLSContext) {
        self.peer = peer
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

    /// Takes what has come; answers what there is to say to it.
    func take() -> [UInt8] {
        let received = peer.receiveBytes().withUnsafeBytes { session.receive($0, into: room) }
        text += String(decoding: room[..<received.count], as: UTF8.self)
        return takeOutput()
    }

    func encrypted(_ text: String) -> [UInt8] {
        #expect(Array(text.utf8).withUnsafeBytes { session.send($0) })
        return takeOutput()
    }

    /// Says that nothing follows.
    func ending() -> [UInt8] {
        session.end()
        return takeOutput()
    }

    private func takeOutput() -> [UInt8] {
        defer { output.pointee = [] }
        return output.pointee
    }
}
