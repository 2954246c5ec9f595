// SPDX-License-Identifier: Apache-2.0
// Keeps the baseline of the version that runs: what was read at the start, completed by what is learnt. Confined to the
// flow monitor's thread; time is a parameter.

import Logging
import WeirEventLoop
import WeirFlow

/// Learns what is no route's own, and writes the file where something of the baseline has changed.
struct BaselineJournal {
    /// How often the file is written at most.
    static let interval: Nanoseconds = 60_000_000_000

    private let folder: BaselineFolder
    private let flow: FlowControl
    private let logger: Logger
    private var service: ServiceLooks
    private var learner = ServiceLearner()
    /// As it stands in the file.
    private var written: Baseline
    private var writtenAt: Nanoseconds = 0
    private var isFailing = false

    /// Nil where no baseline is kept.
    init?(_ flow: FlowControl, _ server: HTTPServer) {
        guard let folder = BaselineFolder(flow.settings) else { return nil }
        self.folder = folder
        self.flow = flow
        logger = server.shared.logger
        service = ServiceLooks(server)
        written = flow.baseline
    }

    mutating func look(now: Nanoseconds, using random: inout some RandomNumberGenerator) {
        // Guards compare growth of memory with what is learnt here: it is taken over times as long as theirs.
        let length = flow.guards.map(\.window).min() ?? ServiceLooks.window
        if let window = service.look(now: now, window: length), !flow.guards.contains(where: \.report.isDegraded) {
            learner.add(window, using: &random)
        }
        guard now &- writtenAt >= Self.interval else { return }
        writtenAt = now
        write()
    }

    /// Writes what is known, if that is another than what is written.
    mutating func write() {
        var baseline = written
        learner.complete(&baseline)
        for routeGuard in flow.guards {
            guard let route = routeGuard.learnt else { continue }
            if baseline.routes[routeGuard.name] != nil || baseline.routes.count < Baseline.entriesMax {
                baseline.routes[routeGuard.name] = route
            }
        }
        guard baseline != written else { return }
        do throws(BaselineFolder.Failure) {
            try folder.write(baseline)
            written = baseline
            if isFailing { logger.notice("the baseline is written again") }
            isFailing = false
        } catch {
            // Said once: the disk is full, or the folder is somebody else's.
            if !isFailing { logger.warning("the baseline cannot be written", metadata: ["error": .string("\(error)")]) }
            isFailing = true
        }
    }
}

extension Baseline {
    /// That of the version that these settings name; an empty one where there is none, or none that can be read.
    static func start(_ settings: Settings, _ logger: Logger) -> Baseline {
        let empty = Baseline(version: settings.baselineVersion)
        guard let folder = BaselineFolder(settings) else { return empty }
        do throws(BaselineFolder.Failure) {
            guard let baseline = try folder.read(settings.baselineVersion) else { return empty }
            guard baseline.version == settings.baselineVersion else {
                throw BaselineFolder.Failure(
                    path: folder.path,
                    reason: "version is \(baseline.version.debugDescription) in the file of this version"
                )
            }
            return baseline
        } catch {
            logger.warning(
                "the baseline cannot be used and is learnt anew",
                metadata: ["error": .string("\(error)"), "version": .string(settings.baselineVersion)]
            )
            return empty
        }
    }
}
