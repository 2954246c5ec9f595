// SPDX-License-Identifier: Apache-2.0
// Certificates that the tests of this folder share, made once.

import Glibc
import WeirTLS

enum Pairs {
    static let now = Int64(time(nil))

    static let authority = make(.init(name: "test CA"), nil)
    static let one = make(.init(name: "one", alternativeNames: "DNS:one.test,DNS:*.one.test"), authority)
    static let two = make(.init(name: "two", alternativeNames: "DNS:Two.test,DNS:*.two.TEST,DNS:*.test"), authority)

    static func make(_ plan: MadeCertificate.Plan, _ issuer: MadeCertificate?) -> MadeCertificate {
        do { return try MadeCertificate(plan, issuer: issuer) } catch { fatalError("\(error)") }
    }

    static func pair(_ made: MadeCertificate, name: String = "tls.crt") throws -> CertificatePair {
        try CertificatePair(
            certificate: PEMFile(name: name, bytes: made.certificate),
            key: PEMFile(name: "tls.key", bytes: made.key),
            now: now
        )
    }
}
