// SPDX-License-Identifier: Apache-2.0
// A session with a server: whom it must be, what it is resumed by, and why it failed. Confined to the thread of its
// connection.

import COpenSSL
import Glibc

/// A client's session: a `TLSSession` that knows whom it talks to.
@safe package struct TLSClientSession: ~Copyable {
    private let session: TLSSession
    private let state: UnsafeMutablePointer<ClientState>

    /// Nil where there is no memory, or `name` is none.
    ///
    /// - Parameters:
    ///   - name: The server's host name, which it is also asked by (SNI), or its numeric address.
    ///   - sessions: What former handshakes with this server have left, and this one leaves its own to; nil for a full
    ///     handshake.
    ///   - output: Takes what is to be sent, during the calls of this session. It captures nothing.
    ///   - argument: What `output` is called with; valid as long as the session.
    ///   - now: Seconds since 1970; what is kept is not resumed by for ever.
    package init?(
        _ context: TLSClientContext,
        to name: String,
        resuming sessions: TLSSessionCache?,
        output: @escaping SessionIO.Output,
        _ argument: UnsafeMutableRawPointer,
        now: Int64 = Int64(time(nil))
    ) {
        let made = unsafe TLSSession(of: context, context.pointer, output: output, argument)
        guard let session = made, unsafe Self.expect(name, session.session) else { return nil }
        let former = sessions?.take(for: context, now: now)
        if let former {
            // Where it does not fit, the handshake is a full one.
            unsafe SSL_set_session(session.session, former.pointer)
        }
        let state = UnsafeMutablePointer<ClientState>.allocate(capacity: 1)
        unsafe state.initialize(
            to: ClientState(
                name: name,
                context: context,
                sessions: sessions,
                begun: now,
                formerlyVerified: former?.verified ?? now
            )
        )
        unsafe ClientState.attach(state, to: session.session)
        unsafe SSL_set_connect_state(session.session)
        self.session = session
        unsafe self.state = state
    }

    deinit {
        unsafe ClientState.attach(nil, to: session.session)
        unsafe state.deinitialize(count: 1)
        unsafe state.deallocate()
    }

    /// Has the certificate checked for this name, and the server asked by it. An address is not told (RFC 6066 section 3).
    private static func expect(_ name: String, _ session: OpaquePointer) -> Bool {
        let parameters = unsafe SSL_get0_param(session)
        if unsafe X509_VERIFY_PARAM_set1_ip_asc(parameters, name) == 1 { return true }
        OpenSSLQueue.clear()
        // DNS knows names with a final dot, certificates don't.
        let host = String(name.hasSuffix(".") ? name.dropLast() : name[...])
        // A common name is none of a host (RFC 9525 section 2), and a CA's constraints on names do not bind it.
        let flags = X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS | X509_CHECK_FLAG_NEVER_CHECK_SUBJECT
        unsafe X509_VERIFY_PARAM_set_hostflags(parameters, UInt32(flags))
        return unsafe X509_VERIFY_PARAM_set1_host(parameters, host, host.utf8.count) == 1
            && weir_ssl_set_host_name(session, host) == 1
    }

    /// Whether the handshake is done.
    package var isEstablished: Bool { session.isEstablished }

    /// Whether the handshake took up a former session.
    package var isResumed: Bool { session.isResumed }

    /// Begins the handshake; false where it cannot.
    package func start() -> Bool {
        OpenSSLQueue.clear()
        let result = unsafe SSL_do_handshake(session.session)
        return unsafe SSL_get_error(session.session, result) == SSL_ERROR_WANT_READ
    }

    /// As `TLSSession.receive`.
    package func receive(_ input: UnsafeRawBufferPointer, into target: UnsafeMutableRawBufferPointer) -> TLSReceived {
        unsafe session.receive(input, into: target)
    }

    /// As `TLSSession.send`.
    package func send(_ bytes: UnsafeRawBufferPointer) -> Bool { unsafe session.send(bytes) }

    /// As `TLSSession.end`.
    package func end() { session.end() }

    // MARK: Faults

    /// What a fault says of the handshake.
    package func failure(_ fault: TLSFault) -> HandshakeFailure {
        switch fault {
        case .plainHTTP: return HandshakeFailure(.plainHTTP, "it answers without TLS")
        case .version: return HandshakeFailure(.version, "no TLS version in common")
        case .parameters: return HandshakeFailure(.parameters, "no cipher suite, group or signature in common")
        case .application: return HandshakeFailure(.application, "it speaks no http/1.1 over TLS")
        case .certificate:
            guard let refusal = unsafe state.pointee.refusal else {
                return HandshakeFailure(.certificate, "its certificate does not pass")
            }
            return HandshakeFailure(refusal.fault, refusal.text)
        case .damagedCertificate(let code):
            return HandshakeFailure(.certificate, "its certificate cannot be read: \(TLSFault.reason(code))")
        case .alert(let code): return failure(alert: code, fault.text)
        case .other where unsafe state.pointee.isRevoked:
            return HandshakeFailure(.revoked, "its certificate is revoked, as the status says that it shows with it")
        case .other, .flood, .helloTooLarge: return HandshakeFailure(.malformed, fault.text)
        }
    }

    /// Whether a fault behind the handshake is the server's answer to our part of it: in TLS 1.3 it says only then that it
    /// wants a certificate, or another. It has looked at nothing that was sent since.
    package func isLateRefusal(_ fault: TLSFault) -> Bool {
        guard case .alert(let code) = fault else { return false }
        return unsafe state.pointee.isAskedForCertificate && Self.isOfCertificate(code)
    }

    /// - Parameter code: RFC 8446 section 6.
    private func failure(alert code: Int32, _ text: String) -> HandshakeFailure {
        let isAsked = unsafe state.pointee.isAskedForCertificate
        switch code {
        case SSL_AD_PROTOCOL_VERSION: return HandshakeFailure(.version, "no TLS version in common")
        case SSL_AD_NO_APPLICATION_PROTOCOL: return HandshakeFailure(.application, "it speaks no http/1.1 over TLS")
        // TLS 1.2 says no more of a certificate that is missing.
        case _ where isAsked && (Self.isOfCertificate(code) || code == SSL_AD_HANDSHAKE_FAILURE):
            let shown = unsafe state.pointee.context.identity
            let what =
                shown.map { "takes no certificate such as \($0.file)" } ?? "asks for a certificate, there is none"
            return HandshakeFailure(.clientCertificate, "it \(what): \(text)")
        case SSL_AD_HANDSHAKE_FAILURE, SSL_AD_INSUFFICIENT_SECURITY:
            return HandshakeFailure(.parameters, "no cipher suite, group or signature in common")
        default: return HandshakeFailure(.alert, text)
        }
    }

    private static func isOfCertificate(_ code: Int32) -> Bool {
        switch code {
        case SSL_AD_BAD_CERTIFICATE, SSL_AD_UNSUPPORTED_CERTIFICATE, SSL_AD_CERTIFICATE_REVOKED,
            SSL_AD_CERTIFICATE_EXPIRED, SSL_AD_CERTIFICATE_UNKNOWN, SSL_AD_UNKNOWN_CA, SSL_AD_ACCESS_DENIED,
            SSL_AD_CERTIFICATE_REQUIRED:
            true
        default: false
        }
    }
}
