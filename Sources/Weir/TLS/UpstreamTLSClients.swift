// SPDX-License-Identifier: Apache-2.0
// The TLS clients of an engine's upstreams: made at the start and at each reload, shared by upstreams that have the same
// settings, and kept up with their files on the control loop.

import Glibc
import Logging
import Synchronization
import WeirEventLoop
import WeirMetrics
import WeirTLS
import WeirUpstream

/// TLS clients by their settings, so that those that stay at a reload stay the same objects with their sessions.
final class UpstreamTLSClients: Sendable {
    private struct Followed {
        let client: TLSClient
        var follower: FileFollower
    }

    private struct State {
        var followed: [TLSClientSettings: Followed] = [:]
        var reloads = 0
        var rejections = 0
    }

    // Never held while files are read: the admin port's thread takes it, too.
    private let state = Mutex(State())

    /// Gives each plan with TLS its client.
    ///
    /// - Throws: `AppError.routes`, which says which file of which upstream is at fault.
    func equip(_ plans: [UpstreamPlan]) throws(AppError) -> [UpstreamPlan] {
        var equipped = plans
        for index in plans.indices {
            do throws(TLSError) {
                if let settings = plans[index].tls { equipped[index].policy.tls = try client(settings) }
                if let settings = plans[index].sourceTLS { equipped[index].sourceTLSClient = try client(settings) }
            } catch {
                throw .routes("upstream \"\(plans[index].name)\": TLS: \(error)".escapedForLine(quotes: false))
            }
        }
        return equipped
    }

    private func client(_ settings: TLSClientSettings) throws(TLSError) -> TLSClient {
        if let present = state.withLock({ $0.followed[settings]?.client }) { return present }
        let files = settings.files
        // Before they are read, so that no change is missed.
        let versions = files.map { FileVersion(path: $0) }
        let client = TLSClient(settings, try TLSClientContext(reading: settings))
        let followed = Followed(client: client, follower: FileFollower(files, start: versions))
        state.withLock { $0.followed[settings] = followed }
        return client
    }

    /// These are the plans in force: what none of them names is let go.
    func keep(_ plans: [UpstreamPlan]) {
        let used = Set(plans.flatMap { [$0.tls, $0.sourceTLS].compactMap(\.self) })
        state.withLock { state in state.followed = state.followed.filter { used.contains($0.key) } }
    }

    /// How often the files are looked at.
    static let lookInterval: Nanoseconds = 1_000_000_000

    /// Reads what has changed. New connections go by it; where a file is at fault, by what was before. On one thread.
    func look(_ logger: Logger) {
        for (settings, followed) in state.withLock({ $0.followed }) {
            var follower = followed.follower
            let isChange = follower.hasSettled()
            if isChange || follower.isRetryDue(), !reload(settings, followed.client, isChange, logger) {
                follower.noteFailed()
            }
            // It may have been let go meanwhile.
            state.withLock { $0.followed[settings]?.follower = follower }
        }
    }

    /// False where something is at fault. Of files that have not changed since, nothing is said again.
    private func reload(
        _ settings: TLSClientSettings,
        _ client: TLSClient,
        _ isChange: Bool,
        _ logger: Logger
    ) -> Bool {
        do throws(TLSError) {
            client.replace(by: try TLSClientContext(reading: settings))
            state.withLock { $0.reloads += 1 }
            logger.info(
                "TLS files of upstreams reloaded",
                metadata: ["files": .string(settings.files.joined(separator: ","))]
            )
            return true
        } catch {
            guard isChange else { return false }
            state.withLock { $0.rejections += 1 }
            logger.error(
                "TLS files of upstreams were not reloaded; the former ones stay",
                metadata: ["reason": .string(error.description)]
            )
            return false
        }
    }

    // MARK: Metrics

    var samples: [MetricSample] {
        let (followed, reloads, rejections) = state.withLock { ($0.followed, $0.reloads, $0.rejections) }
        guard !followed.isEmpty else { return [] }
        let identities = Dictionary(
            followed.values.compactMap { $0.client.context.identity }.map { ($0.file, $0) },
            uniquingKeysWith: { first, _ in first }
        )
        let expiries = identities.values.sorted { $0.file < $1.file }.map { identity in
            MetricSample(
                "weir_upstream_tls_certificate_expiry_seconds",
                "When the certificate that endpoints are shown ends, Unix time.",
                kind: .gauge,
                labels: [MetricLabel("certificate", identity.file)],
                value: Double(identity.certificate.expiry)
            )
        }
        return expiries
            + [("applied", reloads), ("rejected", rejections)].map { outcome, count in
                MetricSample(
                    "weir_upstream_tls_reloads_total",
                    "Changes of the TLS files of upstreams that were read, by what came of them.",
                    kind: .counter,
                    labels: [MetricLabel("outcome", outcome)],
                    value: Double(count)
                )
            }
    }
}
