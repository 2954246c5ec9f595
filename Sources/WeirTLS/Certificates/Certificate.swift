// SPDX-License-Identifier: Apache-2.0
// Owners of OpenSSL's certificates and keys. Immutable, so any thread may read them.

import COpenSSL
import Glibc

/// An X.509 certificate. `@unchecked Sendable`: nothing of it changes, but for what OpenSSL caches under its own lock.
@safe package final class Certificate: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes the reference over.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit { unsafe X509_free(pointer) }

    /// Until when it is valid, in seconds since 1970.
    package var expiry: Int64 {
        var time = unsafe tm()
        guard unsafe ASN1_TIME_to_tm(X509_get0_notAfter(pointer), &time) == 1 else { return 0 }
        return unsafe Int64(timegm(&time))
    }

    /// Whether one of its names (the alternative ones, or the common name where there are none) is `host`.
    package func names(_ host: String) -> Bool {
        unsafe X509_check_host(pointer, host, host.utf8.count, UInt32(X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS), nil) == 1
    }
}

/// A private key; `@unchecked Sendable` as above.
@safe package final class PrivateKey: @unchecked Sendable {
    let pointer: OpaquePointer

    /// Takes the reference over.
    init(_ pointer: OpaquePointer) {
        unsafe self.pointer = pointer
    }

    deinit { unsafe EVP_PKEY_free(pointer) }

    func fits(_ certificate: Certificate) -> Bool {
        let fits = unsafe X509_check_private_key(certificate.pointer, pointer) == 1
        OpenSSLQueue.clear()
        return fits
    }
}
