// SPDX-License-Identifier: Apache-2.0
// Any bytes as the files that TLS is set up from: the certificate, its key, the CAs of clients, and the CA's response.
// Whatever is wrong with them is an error, and nothing of one file stays for the next.

import FuzzSupport
import Glibc
import WeirTLS

private struct Right {
    let certificate: PEMFile
    let key: PEMFile
    let pair: CertificatePair
}

private let now = Int64(time(nil))

private let right: Right = {
    do {
        let made = try MadeCertificate(.init(name: "fuzz", alternativeNames: "DNS:fuzz.test"))
        let certificate = PEMFile(name: "tls.crt", bytes: made.certificate)
        let key = PEMFile(name: "tls.key", bytes: made.key)
        let pair = try CertificatePair(certificate: certificate, key: key, now: now)
        return Right(certificate: certificate, key: key, pair: pair)
    } catch {
        preconditionFailure("\(error)")
    }
}()

@c(LLVMFuzzerTestOneInput)
public func fuzzCertificateFile(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    let file = PEMFile(name: "fuzzed", bytes: bytes.indices.map { bytes[$0] })
    let asCertificate = read { try CertificatePair(certificate: file, key: right.key, now: now) }
    precondition(!asCertificate, "a certificate that the key was not made for")
    let asKey = read { try CertificatePair(certificate: right.certificate, key: file, now: now) }
    precondition(!asKey, "a key that the certificate was not made for")
    _ = read { try ClientAuthorities(file, isRequired: true) }
    let asStaple = read { try OCSPStaple(file, for: right.pair, now: now) }
    precondition(!asStaple, "a response of a CA that there is not")
    // Now and then: it takes longer than all the rest.
    if count % 16 == 0 {
        precondition(
            read { try CertificatePair(certificate: right.certificate, key: right.key, now: now) },
            "what was read before has left something behind"
        )
    }
    return 0
}

/// Whether something was made of the file; an error's text is made too.
private func read<Value>(_ make: () throws -> Value) -> Bool {
    do {
        _ = try make()
        return true
    } catch {
        precondition(!"\(error)".isEmpty, "an error without words")
        return false
    }
}
