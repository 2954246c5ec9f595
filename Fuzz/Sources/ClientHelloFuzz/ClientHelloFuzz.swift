// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a client of TLS begins with: however they are cut, a session comes to the same, and never says more
// than it was told.

import FuzzSupport
import Glibc
import WeirTLS

/// What a session has come to.
private struct Outcome: Equatable {
    var state = TLSReceived.State.open
    var count = 0
    /// How much it has answered, and no more: keys and randoms differ.
    var answers = false
}

private let context: TLSContext = {
    do {
        let made = try MadeCertificate(.init(name: "fuzz", alternativeNames: "DNS:fuzz.test"))
        let pair = try CertificatePair(
            certificate: PEMFile(name: "tls.crt", bytes: made.certificate),
            key: PEMFile(name: "tls.key", bytes: made.key),
            now: Int64(time(nil))
        )
        let tickets = TicketKeys([try TicketKeys.Key()])
        return try TLSContext([pair], lowest: .tls12, tickets: tickets, takesEarlyData: true)
    } catch {
        preconditionFailure("\(error)")
    }
}()

@c(LLVMFuzzerTestOneInput)
public func fuzzClientHello(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    guard count > 0 else { return 0 }
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    let whole = outcome(of: bytes, cutAt: count)
    precondition(whole == outcome(of: bytes, cutAt: splitPosition(bytes)), "a cut changes what a session comes to")
    precondition(whole.count == 0, "a session without keys has said something")
    return 0
}

private func outcome(of bytes: Span<UInt8>, cutAt cut: Int) -> Outcome {
    let result = UnsafeMutablePointer<Outcome>.allocate(capacity: 1)
    unsafe result.initialize(to: Outcome())
    // Allocated here; the session that writes to it ends first.
    defer { unsafe result.deallocate() }
    let session = unsafe TLSSession(
        accepting: context,
        output: { argument, _, _ in
            unsafe argument.assumingMemoryBound(to: Outcome.self).pointee.answers = true
        },
        result
    )
    guard let session else { preconditionFailure("no memory for a session") }
    unsafe feed(session, bytes.extracting(0..<cut), result)
    if unsafe result.pointee.state == .open { unsafe feed(session, bytes.extracting(cut..<bytes.count), result) }
    return unsafe result.pointee
}

private func feed(_ session: borrowing TLSSession, _ bytes: Span<UInt8>, _ result: UnsafeMutablePointer<Outcome>) {
    guard bytes.count > 0 else { return }
    let copy = ExactCopy(bytes)
    let room = UnsafeMutableRawBufferPointer.allocate(byteCount: bytes.count + TLSSession.recordRoom, alignment: 16)
    defer { unsafe room.deallocate() }
    let received = unsafe copy.span.withUnsafeBytes { unsafe session.receive($0, into: room) }
    unsafe result.pointee.count += received.count
    unsafe result.pointee.state = received.state
}
