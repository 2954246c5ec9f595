// SPDX-License-Identifier: Apache-2.0
// The sessions that handshakes with one server are resumed by. Shared by the loops that connect to it: a handshake costs
// so much that it can afford the mutex.

import COpenSSL
import Glibc
import Synchronization

/// What one server has given, the newest last.
///
/// A session of TLS 1.3 is used once, so that nobody can tell by its ticket that two connections are of one client
/// (RFC 8446 appendix C.4); one of TLS 1.2 is kept. A resumed session's certificate is not looked at again: so none is used
/// by another context than the one that has verified it, and none, nor what a server gives for it, for longer than `ageMax`
/// after that.
package final class TLSSessionCache: Sendable {
    /// The most sessions; beyond, the oldest goes. With its certificates one is some 5 KB.
    package static let countMax = 4
    /// In seconds.
    package static let ageMax: Int64 = 3600

    private struct Kept {
        let session: KeptSession
        let context: UInt64
    }

    private let kept = Mutex<[Kept]>([])

    package init() {}

    package var count: Int { kept.withLock { $0.count } }

    /// Forgets them all.
    package func removeAll() {
        kept.withLock { $0 = [] }
    }

    func keep(_ session: KeptSession, of context: TLSClientContext) {
        guard session.isResumable else { return }
        kept.withLock { kept in
            if kept.count == Self.countMax { kept.removeFirst() }
            kept.append(Kept(session: session, context: context.serial))
        }
    }

    /// The newest that `context` may resume by.
    ///
    /// - Parameter now: seconds since 1970.
    func take(for context: TLSClientContext, now: Int64) -> KeptSession? {
        kept.withLock { kept in
            kept.removeAll { $0.context != context.serial || !$0.session.isUsable(at: now) }
            guard let session = kept.last?.session else { return nil }
            if session.isUsedOnce { kept.removeLast() }
            return session
        }
    }
}

/// A session of OpenSSL, which is never changed once it is known.
@safe final class KeptSession: @unchecked Sendable {
    let pointer: OpaquePointer
    /// When the certificate that it stands for was verified, in seconds since 1970.
    let verified: Int64

    /// Takes the reference over.
    init(_ pointer: OpaquePointer, verified: Int64) {
        unsafe self.pointer = pointer
        self.verified = verified
    }

    deinit { unsafe SSL_SESSION_free(pointer) }

    fileprivate var isResumable: Bool { unsafe SSL_SESSION_is_resumable(pointer) == 1 }

    fileprivate var isUsedOnce: Bool { unsafe SSL_SESSION_get_protocol_version(pointer) == TLS1_3_VERSION }

    /// Not where it is too old, or the certificate that it stands for has ended since.
    fileprivate func isUsable(at now: Int64) -> Bool {
        let age = now - verified
        guard age >= 0, age < TLSSessionCache.ageMax, let certificate = unsafe SSL_SESSION_get0_peer(pointer) else {
            return false
        }
        var time = time_t(now)
        return unsafe X509_cmp_time(X509_get0_notAfter(certificate), &time) > 0
    }
}
