// SPDX-License-Identifier: Apache-2.0
// What OpenSSL's callbacks note of a client's session. In memory of its own, found by the session; on its thread.

import COpenSSL

/// The state of one `TLSClientSession`.
struct ClientState {
    /// As the certificate must have it.
    let name: String
    let context: TLSClientContext
    /// Nil where nothing is resumed.
    let sessions: TLSSessionCache?
    /// When the handshake began, and when the certificate of the session was verified that it may take up; in seconds since
    /// 1970.
    let begun: Int64
    let formerlyVerified: Int64
    /// Why the server's certificate does not pass.
    var refusal: ServerRefusal?
    var isRevoked = false
    /// The server has asked for a certificate of ours.
    var isAskedForCertificate = false

    /// The number under which a session knows it: that which OpenSSL keeps for an application.
    private static let index: Int32 = 0

    static func attach(_ state: UnsafeMutablePointer<ClientState>?, to session: OpaquePointer) {
        unsafe SSL_set_ex_data(session, index, state)
    }

    fileprivate static func of(_ session: OpaquePointer?) -> UnsafeMutablePointer<ClientState>? {
        unsafe SSL_get_ex_data(session, index)?.assumingMemoryBound(to: ClientState.self)
    }
}

/// Called with each certificate that is looked at; what stops the verification is noted.
let noteVerification: @convention(c) (Int32, OpaquePointer?) -> Int32 = { passes, verification in
    guard passes != 1, let verification = unsafe verification else { return passes }
    let session = unsafe X509_STORE_CTX_get_ex_data(verification, SSL_get_ex_data_X509_STORE_CTX_idx())
    if let state = unsafe ClientState.of(OpaquePointer(session)) {
        unsafe state.pointee.refusal = unsafe ServerRefusal(verification, expected: state.pointee.name)
    }
    return 0
}

/// The server asks for a certificate; what there is to show the context has.
let noteRequestForCertificate: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { session, _ in
    unsafe ClientState.of(session)?.pointee.isAskedForCertificate = true
    return 1
}

/// The server's certificate has passed; its status may be stapled to it (RFC 6066 section 8). 0 refuses.
let lookAtStaple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { session, _ in
    guard let session = unsafe session, unsafe StapledStatus.isRevoked(session) else { return 1 }
    unsafe ClientState.of(session)?.pointee.isRevoked = true
    return 0
}

/// A session that may be resumed; 1 keeps the reference.
let keepSession: @convention(c) (OpaquePointer?, OpaquePointer?) -> Int32 = { session, kept in
    guard let state = unsafe ClientState.of(session), let kept = unsafe kept,
        let sessions = unsafe state.pointee.sessions
    else { return 0 }
    // A server gives new ones for each that is used: they stand for a certificate that nobody has looked at since.
    let verified = unsafe SSL_session_reused(session) == 1 ? state.pointee.formerlyVerified : state.pointee.begun
    unsafe sessions.keep(KeptSession(kept, verified: verified), of: state.pointee.context)
    return 1
}
