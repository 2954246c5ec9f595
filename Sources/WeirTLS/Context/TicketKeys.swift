// SPDX-License-Identifier: Apache-2.0
// The keys of session tickets (RFC 5077, RFC 8446 section 4.6.1): made here and changed with time, or given, so that
// replicas take each other's tickets. Shared by the contexts of a server, also across a change of certificates.

import COpenSSL
import Synchronization

/// What tickets are sealed with, the newest first, and what older ones may still be opened with.
package final class TicketKeys: Sendable {
    /// One key: what names it in a ticket, and the two secrets (AES-256, HMAC-SHA-256).
    package struct Key: Sendable, Equatable {
        package static let byteCount = 80

        let name: [UInt8]
        let authentication: [UInt8]
        let encryption: [UInt8]

        /// From 80 bytes, in the order that other servers have, too: name, HMAC, AES; nil for another count.
        package init?(_ bytes: [UInt8]) {
            guard bytes.count == Self.byteCount else { return nil }
            name = Array(bytes[..<16])
            authentication = Array(bytes[16..<48])
            encryption = Array(bytes[48...])
        }

        /// A random one.
        package init() throws(TLSError) {
            var bytes = [UInt8](repeating: 0, count: Self.byteCount)
            guard unsafe RAND_bytes(&bytes, Int32(bytes.count)) == 1, let key = Key(bytes) else {
                throw OpenSSLQueue.error(in: "RAND_bytes")
            }
            self = key
        }
    }

    /// The most keys: one that seals, and those before it whose tickets have not ended.
    package static let keysMax = 8

    private let keys: Mutex<[Key]>

    /// - Parameter keys: The first seals; 1 to ``keysMax``.
    package init(_ keys: [Key]) {
        precondition(1...Self.keysMax ~= keys.count, "tickets have 1 to 8 keys")
        self.keys = Mutex(keys)
    }

    /// Puts others in their place.
    package func replace(with keys: [Key]) {
        precondition(1...Self.keysMax ~= keys.count, "tickets have 1 to 8 keys")
        self.keys.withLock { $0 = keys }
    }

    /// Seals with `key` from now on, and still opens what the `kept` keys before it have sealed.
    package func rotate(to key: Key, keeping kept: Int) {
        keys.withLock { $0 = [key] + $0.prefix(min(kept, Self.keysMax - 1)) }
    }

    fileprivate var sealing: Key { keys.withLock { $0[0] } }

    /// The key of this name, and whether it is the newest.
    fileprivate func opening(_ name: UnsafeBufferPointer<UInt8>) -> (key: Key, isNewest: Bool)? {
        let keys = keys.withLock { $0 }
        guard let index = keys.firstIndex(where: { unsafe $0.name.elementsEqual(name) }) else { return nil }
        return (keys[index], index == 0)
    }

    /// Has a context seal and open tickets by these keys, which must outlive its sessions.
    func serve(_ context: OpaquePointer) {
        unsafe SSL_CTX_set_ex_data(context, 0, Unmanaged.passUnretained(self).toOpaque())
        unsafe weir_ssl_ctx_set_ticket_callback(context, sealOrOpen)
    }
}

/// Looked up once, and constant from then on: `EVP_aes_256_cbc` would be, each time that it is used.
nonisolated(unsafe) private let ticketCipher = unsafe EVP_CIPHER_fetch(nil, "AES-256-CBC", nil)

/// What OpenSSL asks for each ticket: to prepare sealing (1), or opening: 1, 2 where the client is to get a new one, and 0
/// for a ticket of an unknown key, whose client is served by a full handshake.
private let sealOrOpen:
    @convention(c) (
        OpaquePointer?, UnsafeMutablePointer<UInt8>?, UnsafeMutablePointer<UInt8>?, OpaquePointer?, OpaquePointer?,
        Int32
    ) -> Int32 = { session, name, vector, cipher, authenticator, isSealing in
        guard let name = unsafe name, let vector = unsafe vector,
            let argument = unsafe SSL_CTX_get_ex_data(SSL_get_SSL_CTX(session), 0)
        else { return -1 }
        let keys = unsafe Unmanaged<TicketKeys>.fromOpaque(argument).takeUnretainedValue()
        let key: TicketKeys.Key
        var result: Int32 = 1
        if isSealing != 0 {
            key = keys.sealing
            for index in 0..<16 { unsafe name[index] = key.name[index] }
            guard unsafe RAND_bytes(vector, 16) == 1,
                unsafe EVP_EncryptInit_ex(cipher, ticketCipher, nil, key.encryption, vector) == 1
            else { return -1 }
        } else {
            guard let found = unsafe keys.opening(UnsafeBufferPointer(start: name, count: 16)) else { return 0 }
            key = found.key
            // TLS 1.3's are used once (RFC 8446 appendix C.4). Where clients have certificates none is given in return: the
            // certificate is not looked at again, and a session may not outlive its first ticket's key.
            let asksClients = unsafe SSL_get_verify_mode(session) != SSL_VERIFY_NONE
            if !asksClients, unsafe !found.isNewest || SSL_version(session) == TLS1_3_VERSION { result = 2 }
            guard unsafe EVP_DecryptInit_ex(cipher, ticketCipher, nil, key.encryption, vector) == 1 else {
                return -1
            }
        }
        return unsafe weir_mac_set_key(authenticator, key.authentication, 32) == 1 ? result : -1
    }
