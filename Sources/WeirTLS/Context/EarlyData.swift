// SPDX-License-Identifier: Apache-2.0
// Requests in front of the end of a handshake (TLS 1.3's early data, 0-RTT; RFC 8446 section 2.3).

import COpenSSL

/// How early data is taken. Who has seen it may send it again, so each session's is taken once: OpenSSL forgets a session
/// when it is resumed (RFC 8446 section 8.1). Its memory is this process's and this context's, so another replica, or this
/// one after a change of certificates, takes none.
enum EarlyData {
    /// Of one session: a request without a body. Also what is thrown away where it is not taken.
    static let bytesMax: UInt32 = 16 << 10
    /// Sessions that are remembered, of about 1 KB each; the oldest go first.
    static let sessionsMax = 4096

    static func take(in context: OpaquePointer) {
        unsafe weir_ssl_ctx_take_early_data(context, bytesMax, sessionsMax)
    }
}
