// SPDX-License-Identifier: Apache-2.0
// What the TLS listeners of a server have in common: the certificates of now, and the keys of tickets. Shared by its
// loops, which read, and by the thread that follows the files, which writes.

import Glibc
import Synchronization
import WeirEventLoop
import WeirMetrics
import WeirTLS

/// The present contexts, which new connections begin with. A handshake costs so much that it can afford the mutex.
final class TLSServer: Sendable {
    private struct State {
        /// In the order of `profiles`.
        var materials: [TLSMaterial]
        var reloads = 0
        var rejections = 0
        /// Something of the files as they are now is refused.
        var isRejected = false
    }

    let tickets: TicketKeys
    /// All that are read, in the order of `versions`.
    let files: [String]
    /// Of the files that the start has read; taken before, so that no change is missed.
    let versions: [FileVersion?]
    private let settings: Settings.TLS
    /// Those of all addresses, each once.
    private let profiles: [TLSProfile]
    private let state: Mutex<State>

    /// Reads the files that the settings and their addresses name; nil where no address speaks TLS.
    ///
    /// - Throws: ``SettingsError``, which says which file is at fault, and how.
    init?(_ settings: Settings) throws(SettingsError) {
        var profiles: [TLSProfile] = []
        var places: [(name: String, value: String)] = []
        for (name, addresses) in [("WEIR_LISTEN", settings.listen), ("WEIR_ADMIN_LISTEN", settings.adminListen)] {
            for case .tls(let host, let port, let own) in addresses {
                let profile = TLSProfile(settings.tls, own, isAdmin: name == "WEIR_ADMIN_LISTEN")
                guard !profiles.contains(profile) else { continue }
                profiles.append(profile)
                let address = ListenAddress.tls(host: host, port: port, own: own).description
                let names = settings.tls.certificates.joined(separator: ",")
                places.append(own.certificates.isEmpty ? ("WEIR_TLS_CERT", names) : (name, address))
            }
        }
        guard !profiles.isEmpty else { return nil }
        var files: [String] = []
        for file in profiles.flatMap(\.files) + settings.tls.ticketKeys where !files.contains(file) {
            files.append(file)
        }
        self.profiles = profiles
        self.settings = settings.tls
        self.files = files
        versions = files.map { FileVersion(path: $0) }
        do throws(TLSError) {
            tickets = TicketKeys(try Self.keys(settings.tls.ticketKeys))
        } catch {
            let value = settings.tls.ticketKeys.joined(separator: ",")
            throw .refused(name: "WEIR_TLS_TICKET_KEYS", value: value, reason: error.description)
        }
        var materials: [TLSMaterial] = []
        let now = Int64(time(nil))
        for (profile, place) in zip(profiles, places) {
            if profile.clientAuthorities == settings.tls.clientAuthorities {
                do throws(TLSError) {
                    _ = try profile.authorities()
                } catch {
                    let value = settings.tls.clientAuthorities
                    throw .refused(name: "WEIR_TLS_CLIENT_CA", value: value, reason: error.description)
                }
            }
            do throws(TLSError) {
                materials.append(try TLSMaterial(profile, tickets, now: now))
            } catch {
                throw .refused(name: place.name, value: place.value, reason: error.description)
            }
        }
        state = Mutex(State(materials: materials))
    }

    /// Ways in which listeners speak TLS.
    var profileCount: Int { profiles.count }

    /// That of an address of the settings.
    func profile(of address: ListenAddress, isAdmin: Bool) -> Int? {
        guard case .tls(_, _, let own) = address else { return nil }
        return profiles.firstIndex(of: TLSProfile(settings, own, isAdmin: isAdmin))
    }

    func context(of profile: Int) -> TLSContext {
        state.withLock { $0.materials[profile].context }
    }

    /// Reads all files again. Connections that there are keep what they began with; what is at fault stays as it was for
    /// new ones.
    ///
    /// - Returns: What is at fault, each once.
    func reload() -> [TLSError] {
        let now = Int64(time(nil))
        var materials = state.withLock { $0.materials }
        var faults: [TLSError] = []
        for index in materials.indices {
            for fault in materials[index].readAgain(now: now) where !faults.contains(fault) { faults.append(fault) }
        }
        if !settings.ticketKeys.isEmpty {
            do throws(TLSError) {
                tickets.replace(with: try Self.keys(settings.ticketKeys))
            } catch {
                faults.append(error)
            }
        }
        state.withLock { state in
            state.materials = materials
            state.isRejected = !faults.isEmpty || materials.contains { !$0.stapleFaults.isEmpty }
        }
        return faults
    }

    /// OCSP responses that are not shown, and why, each once.
    var stapleFaults: [TLSError] {
        var faults: [TLSError] = []
        for fault in state.withLock({ $0.materials.flatMap(\.stapleFaults) }) where !faults.contains(fault) {
            faults.append(fault)
        }
        return faults
    }

    /// Counts a change of files.
    func noteChange(isApplied: Bool) {
        state.withLock { if isApplied { $0.reloads += 1 } else { $0.rejections += 1 } }
    }

    /// Those of the files, or a random one.
    private static func keys(_ files: [String]) throws(TLSError) -> [TicketKeys.Key] {
        if files.isEmpty { return [try TicketKeys.Key()] }
        var keys: [TicketKeys.Key] = []
        for file in files {
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
        var expiries: [MetricSample] = []
        var staples: [MetricSample] = []
        for (file, end) in Self.first(state.materials.flatMap { $0.expiries }) {
            expiries.append(
                MetricSample(
                    "weir_tls_certificate_expiry_seconds",
                    "When the certificate in use ends, Unix time.",
                    kind: .gauge,
                    labels: [MetricLabel("certificate", file)],
                    value: Double(end)
                )
            )
        }
        for (file, end) in Self.first(state.materials.flatMap { $0.stapleExpiries }) {
            staples.append(
                MetricSample(
                    "weir_tls_ocsp_expiry_seconds",
                    "When the OCSP response that is stapled ends, Unix time; 0 where the file has none that can be.",
                    kind: .gauge,
                    labels: [MetricLabel("certificate", file)],
                    value: Double(end)
                )
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
            "1 while one of the files is refused, and what was read before is in use.",
            kind: .gauge,
            value: state.isRejected ? 1 : 0
        )
        return expiries + staples + reloads + [rejected]
    }

    /// Each file once: several listeners may show it.
    private static func first(_ ends: [TLSMaterial.End]) -> [TLSMaterial.End] {
        var seen: Set<String> = []
        return ends.filter { seen.insert($0.file).inserted }
    }
}
