// SPDX-License-Identifier: Apache-2.0
// One side of a TLS connection as a transform of bytes: never a descriptor. Confined to the thread of its connection.

import COpenSSL

/// What a call of `TLSSession.receive` has come to.
package struct TLSReceived {
    package enum State: Sendable, Equatable {
        /// More may come.
        case open
        /// The peer has said that nothing follows (close_notify).
        case ended
        case failed(TLSFault)
    }

    /// Plain bytes that were written.
    package var count: Int
    package var state: State
    /// They came before the handshake was done: somebody else may have sent them again (RFC 8446 section 8).
    package var isEarly = false
}

/// A session of OpenSSL over a BIO of ours.
///
/// Whatever it has to send it hands to its output in the call that caused it; that takes all, so no call ever waits.
@safe package struct TLSSession: ~Copyable {
    /// How many plain bytes a call of `receive` may give beyond the count of its input: those of a record whose
    /// beginning came before.
    package static let recordRoom = 17 << 10

    let session: OpaquePointer
    private let io: UnsafeMutablePointer<SessionIO>
    /// The owner of OpenSSL's context, to which its callbacks refer.
    private let context: AnyObject

    /// A server's session; nil where there is no memory.
    ///
    /// - Parameters:
    ///   - output: Takes what is to be sent, during the calls of this session. It captures nothing.
    ///   - argument: What `output` is called with; valid as long as the session.
    package init?(
        accepting context: TLSContext,
        output: @escaping SessionIO.Output,
        _ argument: UnsafeMutableRawPointer
    ) {
        unsafe self.init(of: context, context.first, output: output, argument)
        unsafe SSL_set_accept_state(session)
        unsafe io.pointee.guardServer(session, takesEarlyData: context.takesEarlyData)
    }

    /// A session of neither side yet, which keeps `context`, the owner of `pointer`.
    init?(
        of context: AnyObject,
        _ pointer: OpaquePointer,
        output: @escaping SessionIO.Output,
        _ argument: UnsafeMutableRawPointer
    ) {
        let io = UnsafeMutablePointer<SessionIO>.allocate(capacity: 1)
        unsafe io.initialize(to: SessionIO(output: output, argument: argument))
        let session = unsafe SSL_new(pointer)
        let bio = unsafe SessionIO.makeBIO(io)
        guard let session = unsafe session, let bio = unsafe bio else {
            unsafe SSL_free(session)
            unsafe BIO_free_all(bio)
            unsafe io.deallocate()
            return nil
        }
        unsafe self.session = session
        unsafe self.io = io
        self.context = context
        // One reference for both directions.
        unsafe SSL_set_bio(session, bio, bio)
        unsafe weir_ssl_set_message_argument(session, io)
    }

    deinit {
        // A session that a peer has left without a word may be resumed (RFC 8446 section 6.1 asks for nothing else); what was
        // broken is forgotten by now.
        unsafe SSL_set_shutdown(session, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN)
        unsafe SSL_free(session)
        unsafe io.deallocate()
    }

    /// Whether the handshake is done.
    package var isEstablished: Bool { unsafe SSL_is_init_finished(session) == 1 }

    /// Whether the handshake took up a former session.
    package var isResumed: Bool { unsafe SSL_session_reused(session) == 1 }

    /// What the peer's certificate says; nil where it has shown none. Once established it has passed.
    package var peerCertificate: PeerCertificate? {
        guard let certificate = unsafe SSL_get1_peer_certificate(session) else { return nil }
        defer { unsafe X509_free(certificate) }
        return unsafe PeerCertificate(certificate)
    }

    /// Takes all of `input`, and writes what it says to `target`, which has room for `input.count + recordRoom` bytes.
    package func receive(
        _ input: UnsafeRawBufferPointer,
        into target: UnsafeMutableRawBufferPointer
    ) -> TLSReceived {
        precondition(target.count >= input.count + Self.recordRoom, "less room than is asked for")
        if unsafe io.pointee.isNew, let first = unsafe input.first {
            unsafe io.pointee.isNew = false
            if Self.isHTTP(first) { return TLSReceived(count: 0, state: .failed(.plainHTTP)) }
        }
        unsafe io.pointee.input = unsafe input
        defer { unsafe io.pointee.input = unsafe UnsafeRawBufferPointer(start: nil, count: 0) }
        OpenSSLQueue.clear()
        var received = unsafe read(into: target)
        if case .failed(.helloTooLarge) = received.state { refuseHello() }
        // Half a message that a server has no use for (TLS 1.2: another handshake) would hold memory for as long as a client
        // likes.
        let isHalf = unsafe io.pointee.isServer && io.pointee.isEstablished && !isEstablished
        if isHalf, received.state == .open { received.state = .failed(.flood) }
        unsafe io.pointee.isEstablished = unsafe io.pointee.isEstablished || isEstablished
        received.isEarly = received.count > 0 && !isEstablished
        return received
    }

    /// Reads until the input is used up.
    private func read(into target: UnsafeMutableRawBufferPointer) -> TLSReceived {
        var count = 0
        while unsafe io.pointee.readsEarlyData {
            var readCount = 0
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[count...])
            switch unsafe SSL_read_early_data(session, room.baseAddress, room.count, &readCount) {
            case SSL_READ_EARLY_DATA_SUCCESS: count += readCount
            case SSL_READ_EARLY_DATA_FINISH: unsafe io.pointee.readsEarlyData = false
            default: return TLSReceived(count: count, state: stopped(0))
            }
        }
        while true {
            var readCount = 0
            let room = unsafe UnsafeMutableRawBufferPointer(rebasing: target[count...])
            let result = unsafe SSL_read_ex(session, room.baseAddress, room.count, &readCount)
            guard result == 1 else { return TLSReceived(count: count, state: stopped(result)) }
            count += readCount
            unsafe io.pointee.messageCount = 0
            // Less than there was room for: the record is used up, and asking again would only say so.
            if unsafe io.pointee.input.isEmpty, readCount < room.count {
                return TLSReceived(count: count, state: .open)
            }
            precondition(count < target.count, "less room than was promised")
        }
    }

    /// Why OpenSSL gives no more.
    private func stopped(_ result: Int32) -> TLSReceived.State {
        if let fault = unsafe io.pointee.fault {
            OpenSSLQueue.clear()
            return .failed(fault)
        }
        return switch unsafe SSL_get_error(session, result) {
        case SSL_ERROR_WANT_READ: .open
        case SSL_ERROR_ZERO_RETURN: .ended
        default: .failed(TLSFault.take())
        }
    }

    /// Encrypts `bytes` as one record, at most 16 KiB; false where the session cannot send.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
        var count = 0
        // An answer to early data; later it would be refused.
        if unsafe !io.pointee.isEstablished, !isEstablished {
            return unsafe SSL_write_early_data(session, bytes.baseAddress, bytes.count, &count) == 1
        }
        return unsafe SSL_write_ex(session, bytes.baseAddress, bytes.count, &count) == 1
    }

    /// Says that nothing follows (close_notify); what the peer sends is still read.
    package func end() {
        guard isEstablished else { return }
        _ = unsafe SSL_shutdown(session)
    }

    /// Tells the client why, as OpenSSL would for one that is longer still: it has not seen this one.
    private func refuseHello() {
        let alert: StaticString = "\u{15}\u{3}\u{3}\u{0}\u{2}\u{2}\u{2F}"
        unsafe io.pointee.output(io.pointee.argument, alert.utf8Start, alert.utf8CodeUnitCount)
    }

    /// A TLS connection begins with a record's type, which is no letter; an HTTP request with its method.
    private static func isHTTP(_ byte: UInt8) -> Bool {
        (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte & 0xDF)
    }
}
