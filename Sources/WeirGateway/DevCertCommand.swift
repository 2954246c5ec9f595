// SPDX-License-Identifier: Apache-2.0
// `weir dev-cert`: a certificate for trying TLS out.

import ArgumentParser
import Glibc
import Weir
import WeirTLS

struct DevCertCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "dev-cert",
        abstract: "Makes a CA and a certificate for trying TLS out.",
        discussion: """
            Writes ca.crt, tls.crt and tls.key, and no file over one that is there. The certificate is for localhost, \
            127.0.0.1, ::1 and the hosts that are given. The key of the CA is not kept: it signs nothing else. Exits with \
            64 for what is no host, and with 69 where a file cannot be written.
            """
    )

    @Argument(help: "More hosts: names, or numeric addresses.")
    var hosts: [String] = []

    @Option(help: "The folder to write to.")
    var folder = "."

    @Option(help: "For how many days it is valid, 1 to 825.")
    var days = 30

    func validate() throws {
        // What clients take at most of a certificate that no public CA has signed.
        guard (1...825).contains(days) else { throw ValidationError("days are 1 to 825") }
        for host in hosts where Self.alternativeName(host) == nil {
            throw ValidationError("\"\(host)\" is neither the name of a host nor a numeric address")
        }
    }

    func run() throws {
        let names = (["localhost", "127.0.0.1", "::1"] + hosts).compactMap(Self.alternativeName)
        let seconds = days * 86_400
        let files: [NewFile]
        do throws(TLSError) {
            let authority = try MadeCertificate(.init(name: "weir dev-cert", ends: seconds))
            let made = try MadeCertificate(
                .init(name: Self.commonName(hosts), alternativeNames: names.joined(separator: ","), ends: seconds),
                issuer: authority
            )
            files = [
                NewFile(path: "\(folder)/ca.crt", bytes: authority.certificate, mode: 0o644),
                NewFile(path: "\(folder)/tls.crt", bytes: made.certificate, mode: 0o644),
                NewFile(path: "\(folder)/tls.key", bytes: made.key, mode: 0o600),
            ]
        } catch {
            ProcessExit.internalFault.end("weir: \(error)")
        }
        do throws(NewFile.Failure) {
            try NewFile.write(files)
        } catch {
            ProcessExit.unavailable.end("weir: \(error.path): \(String(cString: strerror(error.code)))")
        }
        print("WEIR_LISTEN=tls://:8443 WEIR_TLS_CERT=\(folder)/tls.crt WEIR_TLS_KEY=\(folder)/tls.key weir")
        print("curl --cacert \(folder)/ca.crt https://localhost:8443/")
    }

    /// The first host, if it fits: a common name has at most 64 characters (RFC 5280 appendix A.1), and nobody looks at it
    /// where there are alternative names.
    private static func commonName(_ hosts: [String]) -> String {
        guard let first = hosts.first, first.utf8.count <= 64 else { return "localhost" }
        return first
    }

    /// As OpenSSL has it: `DNS:shop.example`, `IP:10.0.0.1`; nil for what is neither.
    private static func alternativeName(_ host: String) -> String? {
        var address = in6_addr()
        if inet_pton(AF_INET, host, &address) == 1 || inet_pton(AF_INET6, host, &address) == 1 { return "IP:\(host)" }
        let isName = host.utf8.allSatisfy { byte in
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte | 0x20)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || "-.*".utf8.contains(byte)
        }
        return isName && (1...253).contains(host.utf8.count) ? "DNS:\(host)" : nil
    }
}

/// A file that is not there yet.
private struct NewFile {
    let path: String
    let bytes: [UInt8]
    let mode: mode_t

    struct Failure: Error {
        let path: String
        let code: Int32
    }

    /// Writes all of them, or none: what was made before a fault is taken away again.
    static func write(_ files: [NewFile]) throws(Failure) {
        var made: [String] = []
        do throws(Failure) {
            for file in files { try file.write(noting: &made) }
        } catch {
            for path in made { unlink(path) }
            throw error
        }
    }

    private func write(noting made: inout [String]) throws(Failure) {
        let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, mode)
        guard descriptor >= 0 else { throw Failure(path: path, code: errno) }
        made.append(path)
        defer { close(descriptor) }
        let count = Glibc.write(descriptor, bytes, bytes.count)
        // A disk that is full takes a part first.
        guard count == bytes.count else { throw Failure(path: path, code: count < 0 ? errno : ENOSPC) }
    }
}
