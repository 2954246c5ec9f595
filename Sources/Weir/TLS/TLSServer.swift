// SPDX-License-Identifier: Apache-2.0
// What the TLS listeners of a server have in common: the certificates of now, and the keys of tickets. Shared by its
// loops, which read, and by the thread that follows the files, which writes.

import Glibc
import Synchronization
import WeirEventLoop
import WeirMetrics
import WeirTLS

/// The present context, which new connections begin with. A handshake costs so much that it can afford the mutex.
final class TLSServer: Sendable {
    private struct State {
        var contexts: Contexts
        var reloads = 0
        var rejections = 0
        /// The files as they are now are refused.
        var isRejected = false
    }

    /// Made of the same files: for the traffic's port, and for the admin port, where no client is asked for a certificate.
    private struct Contexts {
        var traffic: TLSContext
        var admin: TLSContext
    }

    let tickets: TicketKeys
    /// Of the files that the start has read, in the order of ``Settings/TLS/files``; taken before, so that no change is
    /// missed.
    let versions: [FileVersion?]
    private let state: Mutex<State>

    /// Reads the files that the settings name; nil where they name no certificate.
    ///
    /// - Throws: ``SettingsError``, which says which file is at fault, and how.
    init?(_ settings: Settings) throws(SettingsError) {
        guard !settings.tls.certificates.isEmpty else { return nil }
        versions = settings.tls.files.map { FileVersion(path: $0) }
        do throws(TLSError) {
            tickets = TicketKeys(try Self.keys(settings.tls))
            state = Mutex(State(contexts: try Self.contexts(settings.tls, tickets)))
        } catch {
            throw .refused(
                name: "WEIR_TLS_CERT",
                value: settings.tls.certificates.joined(separator: ","),
                reason: error.description
            )
        }
    }

    func context(isAdmin: Bool) -> TLSContext {
        state.withLock { isAdmin ? $0.contexts.admin : $0.contexts.traffic }
    }

    /// Reads all files again. Connections that there are keep what they began with; where a file is at fault, so do new
    /// ones.
    func reload(_ settings: Settings.TLS) throws(TLSError) {
        let keys = try settings.ticketKeys.isEmpty ? [] : Self.keys(settings)
        let contexts = try Self.contexts(settings, tickets)
        if !keys.isEmpty { tickets.replace(with: keys) }
        state.withLock { state in
            state.contexts = contexts
            state.reloads += 1
            state.isRejected = false
        }
    }

    func noteRejected() {
        state.withLock { state in
            state.rejections += 1
            state.isRejected = true
        }
    }

    // MARK: Reading

    /// The pairs of files that the settings name, the first certificate with the first key and so on.
    private static func contexts(_ settings: Settings.TLS, _ tickets: TicketKeys) throws(TLSError) -> Contexts {
        var pairs: [CertificatePair] = []
        for (certificate, key) in zip(settings.certificates, settings.keys) {
            pairs.append(
                try CertificatePair(
                    certificate: PEMFile(reading: certificate),
                    key: PEMFile(reading: key),
                    now: Int64(time(nil))
                )
            )
        }
        let lowest = settings.lowest == .tls13 ? TLSVersion.tls13 : .tls12
        let admin = try TLSContext(pairs, lowest: lowest, tickets: tickets)
        guard settings.clients != .off else { return Contexts(traffic: admin, admin: admin) }
        let clients = try ClientAuthorities(
            PEMFile(reading: settings.clientAuthorities),
            isRequired: settings.clients == .required
        )
        let traffic = try TLSContext(pairs, lowest: lowest, tickets: tickets, clients: clients)
        return Contexts(traffic: traffic, admin: admin)
    }

    /// Those of the files, or a random one.
    private static func keys(_ settings: Settings.TLS) throws(TLSError) -> [TicketKeys.Key] {
        if settings.ticketKeys.isEmpty { return [try TicketKeys.Key()] }
        var keys: [TicketKeys.Key] = []
        for file in settings.ticketKeys {
            guard let key = TicketKeys.Key(try PEMFile(reading: file).bytes) else {
                throw .badTicketKey(file: file)
            }
            keys.append(key)
        }
        return keys
    }

    // MARK: Metrics

    var samples: [MetricSample] {
        let state = state.withLock { $0 }
        let expiries = state.contexts.traffic.pairs.map { pair in
            MetricSample(
                "weir_tls_certificate_expiry_seconds",
                "When the certificate in use ends, Unix time.",
                kind: .gauge,
                labels: [MetricLabel("certificate", pair.file)],
                value: Double(pair.certificate.expiry)
            )
        }
        let outcomes = [("applied", state.reloads), ("rejected", state.rejections)]
        let reloads = outcomes.map { outcome, count in
            MetricSample(
                "weir_tls_reloads_total",
                "Changes of certificate files that were read, by what came of them.",
                kind: .counter,
                labels: [MetricLabel("outcome", outcome)],
                value: Double(count)
            )
        }
        let rejected = MetricSample(
            "weir_tls_certificates_rejected",
            "1 while the certificate files are refused and older ones are in use.",
            kind: .gauge,
            value: state.isRejected ? 1 : 0
        )
        return expiries + reloads + [rejected]
    }
}
