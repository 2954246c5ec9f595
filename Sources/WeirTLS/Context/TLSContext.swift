// SPDX-License-Identifier: Apache-2.0
// What all sessions of a listener have in common: certificates, versions, suites. Immutable; replaced as a whole when
// certificates change, while sessions keep the one that they began with.

import COpenSSL
import Glibc

/// A server's side of TLS. Any thread may make sessions of it (`@unchecked Sendable`: OpenSSL counts its references
/// atomically, and nothing else of it changes).
@safe package final class TLSContext: @unchecked Sendable {
    /// One for each certificate; the first is for clients that ask for none of the names.
    private let contexts: [ContextOwner]
    package let pairs: [CertificatePair]
    let takesEarlyData: Bool
    private let names: CertificateNames
    /// Callbacks of the contexts refer to it.
    private let tickets: TicketKeys

    /// - Parameters:
    ///   - pairs: At least one.
    ///   - tickets: What sessions are resumed by; shared with the contexts that come before and after this one.
    ///   - clients: By whom certificates of clients are signed; nil where none is asked for.
    ///   - server: Says which sessions may be resumed here: those of contexts with the same, and the same `clients`. Else who
    ///     has verified one listener's certificate could be led to another's without a look at it.
    ///   - takesEarlyData: Whether clients that come back may send requests before the handshake is done.
    package init(
        _ pairs: [CertificatePair],
        lowest: TLSVersion,
        tickets: TicketKeys,
        clients: ClientAuthorities? = nil,
        server: String = "",
        takesEarlyData: Bool = false
    ) throws(TLSError) {
        precondition(!pairs.isEmpty, "a server without a certificate")
        var contexts: [ContextOwner] = []
        for pair in pairs { contexts.append(try ContextOwner(pair, lowest)) }
        self.contexts = contexts
        self.pairs = pairs
        names = CertificateNames(pairs.map(\.certificate))
        self.tickets = tickets
        self.takesEarlyData = takesEarlyData
        let digest = ClientAuthorities.digest(of: Array(server.utf8) + (clients?.digest ?? []))
        for context in contexts {
            guard unsafe SSL_CTX_set_session_id_context(context.pointer, digest, UInt32(digest.count)) == 1 else {
                throw OpenSSLQueue.error(in: "SSL_CTX_set_session_id_context")
            }
            unsafe tickets.serve(context.pointer)
            try unsafe clients?.serve(context.pointer)
            if takesEarlyData { unsafe EarlyData.take(in: context.pointer) }
        }
        guard pairs.count > 1 else { return }
        // Unretained: a session keeps this object for as long as it may ask.
        unsafe weir_ssl_ctx_set_name_callback(first, chooseByName, Unmanaged.passUnretained(self).toOpaque())
    }

    /// The context that new sessions begin with.
    var first: OpaquePointer { unsafe contexts[0].pointer }

    /// The context of the first certificate that names `host`; nil for none.
    fileprivate func context(for host: String) -> OpaquePointer? {
        guard let index = names.index(of: host) else { return nil }
        return unsafe contexts[index].pointer
    }
}

/// OpenSSL's context of one certificate.
@safe private final class ContextOwner {
    let pointer: OpaquePointer
    fileprivate let staple: OCSPStaple?

    init(_ pair: CertificatePair, _ lowest: TLSVersion) throws(TLSError) {
        OpenSSLQueue.clear()
        guard let context = unsafe SSL_CTX_new(TLS_server_method()) else {
            throw OpenSSLQueue.error(in: "SSL_CTX_new")
        }
        unsafe pointer = unsafe context
        staple = pair.staple
        try unsafe TLSParameters.apply(to: context, lowest)
        unsafe SSL_CTX_set_alpn_select_cb(context, chooseApplication, nil)
        unsafe SSL_CTX_set_msg_callback(context, SessionIO.noteMessage)
        guard unsafe SSL_CTX_use_certificate(context, pair.certificate.pointer) == 1,
            pair.chain.allSatisfy({ unsafe weir_ssl_ctx_add_chain(context, $0.pointer) == 1 }),
            unsafe SSL_CTX_use_PrivateKey(context, pair.key.pointer) == 1
        else { throw .refused(file: pair.file, reason: OpenSSLQueue.takeText()) }
        guard staple != nil else { return }
        // Unretained: the context lives no longer than this object, but for sessions, which keep its owner.
        unsafe weir_ssl_ctx_set_status_callback(context, showStaple, Unmanaged.passUnretained(self).toOpaque())
    }

    deinit { unsafe SSL_CTX_free(pointer) }
}

/// Server name indication (RFC 6066 section 3): the certificate that the client asks for, or the first.
private let chooseByName:
    @convention(c) (OpaquePointer?, UnsafeMutablePointer<Int32>?, UnsafeMutableRawPointer?) -> Int32 = {
        session,
        _,
        argument in
        guard let argument = unsafe argument,
            let name = unsafe SSL_get_servername(session, TLSEXT_NAMETYPE_host_name)
        else { return SSL_TLSEXT_ERR_NOACK }
        let owner = unsafe Unmanaged<TLSContext>.fromOpaque(argument).takeUnretainedValue()
        guard let context = unsafe owner.context(for: String(cString: name)) else { return SSL_TLSEXT_ERR_NOACK }
        unsafe SSL_set_SSL_CTX(session, context)
        return SSL_TLSEXT_ERR_OK
    }

/// The OCSP response of the certificate that was chosen (RFC 6066 section 8), while it is valid.
private let showStaple: @convention(c) (OpaquePointer?, UnsafeMutableRawPointer?) -> Int32 = { session, argument in
    guard let argument = unsafe argument else { return SSL_TLSEXT_ERR_NOACK }
    let owner = unsafe Unmanaged<ContextOwner>.fromOpaque(argument).takeUnretainedValue()
    guard let staple = owner.staple, staple.expiry > Int64(time(nil)),
        unsafe weir_ssl_staple(session, staple.bytes, staple.bytes.count) == 1
    else { return SSL_TLSEXT_ERR_NOACK }
    return SSL_TLSEXT_ERR_OK
}

/// Application-layer protocol negotiation (RFC 7301): a client that names protocols and none of ours is refused, as
/// section 3.2 has it.
private let chooseApplication:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UnsafePointer<UInt8>?>?, UnsafeMutablePointer<UInt8>?,
        UnsafePointer<UInt8>?, UInt32, UnsafeMutableRawPointer?
    ) -> Int32 = { _, output, outputCount, offered, offeredCount, _ in
        var chosen: UnsafeMutablePointer<UInt8>?
        let applications = applicationProtocols
        let result = unsafe SSL_select_next_proto(
            &chosen,
            outputCount,
            applications.utf8Start,
            UInt32(applications.utf8CodeUnitCount),
            offered,
            offeredCount
        )
        guard result == OPENSSL_NPN_NEGOTIATED else { return SSL_TLSEXT_ERR_ALERT_FATAL }
        unsafe output?.pointee = unsafe UnsafePointer(chosen)
        return SSL_TLSEXT_ERR_OK
    }

/// Each with its length in front.
private let applicationProtocols: StaticString = "\u{8}http/1.1\u{8}http/1.0"
