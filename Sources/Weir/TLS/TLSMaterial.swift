// SPDX-License-Identifier: Apache-2.0
// What listeners of one kind show and ask for, read of its files. A value; reading blocks, so not on a loop.

import WeirTLS

/// The files and modes of listeners that speak TLS alike.
struct TLSProfile: Sendable, Equatable {
    var certificates: [String]
    var keys: [String]
    /// As many as certificates, with ``noStaple`` for one that has none; or none at all.
    var staples: [String]
    var lowest: TLSVersion
    var clients: Settings.TLS.Clients
    var clientAuthorities: String
    /// Whether requests may come before the handshake is done.
    var takesEarlyData: Bool

    /// What an address has of its own, and for the rest the settings. The admin port asks for no certificate unless its
    /// address says so: probes have none.
    init(_ settings: Settings.TLS, _ own: ListenAddress.TLSOptions, isAdmin: Bool) {
        let hasOwn = !own.certificates.isEmpty
        certificates = hasOwn ? own.certificates : settings.certificates
        keys = hasOwn ? own.keys : settings.keys
        staples = hasOwn ? own.staples : settings.staples
        lowest = (own.lowest ?? settings.lowest) == .tls13 ? .tls13 : .tls12
        clients = own.clients ?? (isAdmin ? .off : settings.clients)
        clientAuthorities = clients == .off ? "" : own.clientAuthorities ?? settings.clientAuthorities
        // Who shows a certificate is known by it when the handshake is done, and who administers sends no request twice.
        takesEarlyData = settings.takesEarlyData && clients == .off && !isAdmin
    }

    /// All files that are read again when one changes.
    var files: [String] {
        let responses = staples.filter { $0 != Self.noStaple }
        return certificates + keys + responses + (clientAuthorities.isEmpty ? [] : [clientAuthorities])
    }

    fileprivate func pair(_ index: Int, now: Int64) throws(TLSError) -> CertificatePair {
        try CertificatePair(
            certificate: PEMFile(reading: certificates[index]),
            key: PEMFile(reading: keys[index]),
            now: now
        )
    }

    fileprivate func context(
        _ pairs: [CertificatePair],
        _ tickets: TicketKeys,
        _ authorities: ClientAuthorities?
    ) throws(TLSError) -> TLSContext {
        try TLSContext(
            pairs,
            lowest: lowest,
            tickets: tickets,
            clients: authorities,
            // The same behind a reload, and in the other replicas.
            server: certificates.joined(separator: ","),
            takesEarlyData: takesEarlyData
        )
    }

    /// What stands for a certificate without an OCSP response.
    static let noStaple = "-"

    fileprivate func staple(_ index: Int) -> String? {
        guard staples.indices.contains(index), staples[index] != Self.noStaple else { return nil }
        return staples[index]
    }

    func authorities() throws(TLSError) -> ClientAuthorities? {
        guard clients != .off else { return nil }
        return try ClientAuthorities(PEMFile(reading: clientAuthorities), isRequired: clients == .required)
    }
}

/// What a profile's files have, and the context that was made of it.
struct TLSMaterial: Sendable {
    private let profile: TLSProfile
    private let tickets: TicketKeys
    private var authorities: ClientAuthorities?
    private(set) var context: TLSContext
    /// OCSP responses that are not shown, and why: they stop nothing.
    private(set) var stapleFaults: [TLSError] = []

    /// - Parameter now: seconds since 1970.
    /// - Throws: `TLSError` for the first file that is at fault: at the start all must be right.
    init(_ profile: TLSProfile, _ tickets: TicketKeys, now: Int64) throws(TLSError) {
        self.profile = profile
        self.tickets = tickets
        var pairs: [CertificatePair] = []
        for index in profile.certificates.indices { pairs.append(try profile.pair(index, now: now)) }
        stapleFaults = Self.staple(profile, &pairs, now: now)
        authorities = try profile.authorities()
        context = try profile.context(pairs, tickets, authorities)
    }

    /// Reads all files again. What is at fault stays as it was, and keeps nothing else from being new.
    mutating func readAgain(now: Int64) -> [TLSError] {
        var faults: [TLSError] = []
        var pairs = context.pairs
        for index in pairs.indices {
            do throws(TLSError) {
                let pair = try profile.pair(index, now: now)
                let isSame = pair.certificate == pairs[index].certificate
                let former = pairs[index].staple
                pairs[index] = pair
                if isSame { pairs[index].staple = former }
            } catch {
                faults.append(error)
            }
        }
        stapleFaults = Self.staple(profile, &pairs, now: now)
        do throws(TLSError) { authorities = try profile.authorities() } catch { faults.append(error) }
        do throws(TLSError) {
            context = try profile.context(pairs, tickets, authorities)
        } catch {
            faults.append(error)
        }
        return faults
    }

    /// Gives each certificate the response that its CA has signed; answers which of them cannot be used, and why. The former
    /// one stays then, unless the new one says that the certificate is revoked.
    private static func staple(_ profile: TLSProfile, _ pairs: inout [CertificatePair], now: Int64) -> [TLSError] {
        var faults: [TLSError] = []
        for index in pairs.indices {
            guard let path = profile.staple(index) else { continue }
            do throws(TLSError) {
                pairs[index].staple = try OCSPStaple(PEMFile(reading: path), for: pairs[index], now: now)
            } catch {
                if case .revoked = error { pairs[index].staple = nil }
                faults.append(error)
            }
        }
        return faults
    }

    /// When the response in use ends, of each certificate that should have one; 0 where there is none.
    var stapleExpiries: [End] {
        context.pairs.enumerated().compactMap { index, pair in
            profile.staple(index) == nil ? nil : (pair.file, pair.staple?.expiry ?? 0)
        }
    }

    /// When the certificates in use end.
    var expiries: [End] { context.pairs.map { ($0.file, $0.certificate.expiry) } }

    /// Of what a certificate's file has; in seconds since 1970.
    typealias End = (file: String, seconds: Int64)
}
