// SPDX-License-Identifier: Apache-2.0
// Fits a running engine to its pod's CPUs, which change where the pod is resized in place. On the flow monitor's thread;
// time is a parameter.

import Logging
import WeirEventLoop
import WeirFlow

/// Reads the pod's CPUs once a second, and has loops, workers and pools follow: as far as their settings are `auto` or
/// so many for each CPU.
struct EngineResize: Sendable {
    private let cpus: PodCPUs
    private let settings: Settings
    private let flow: FlowControl
    private let server: HTTPServer
    private let workers: WorkerPool
    private let logger: Logger
    private let republish: @Sendable () -> Void
    private var steady: SteadyCount
    private var readAt: Nanoseconds = 0
    /// What kept a loop from being made, as it was logged.
    private var problem: String?

    /// How many readings have to succeed before one that fails is logged again.
    private var readingsToSay = 0

    static let interval: Nanoseconds = 1_000_000_000
    private static let readingsBetween = 60

    /// - Parameter republish: has the loops run what has come of the limits.
    init(
        _ cpus: PodCPUs,
        _ settings: Settings,
        _ flow: FlowControl,
        _ server: HTTPServer,
        _ workers: WorkerPool,
        _ logger: Logger,
        republish: @escaping @Sendable () -> Void
    ) {
        self.cpus = cpus
        self.settings = settings
        self.flow = flow
        self.server = server
        self.workers = workers
        self.logger = logger
        self.republish = republish
        steady = SteadyCount(flow.cpus)
    }

    mutating func look(now: Nanoseconds) {
        // What is in flight at the drain ends as it began.
        guard now >= readAt, !server.shared.isDraining else { return }
        readAt = now &+ Self.interval
        let reading = cpus.read()
        if let unread = reading.unread {
            noteUnread(unread)
        } else {
            readingsToSay = max(0, readingsToSay - 1)
        }
        // One that failed says nothing of the pod: what was read last holds.
        if reading.unread == nil, let former = steady.note(reading.threads) {
            resize(from: former, reading)
        } else {
            // What the kernel refused the last time.
            followLoops()
        }
    }

    private mutating func resize(from former: Int, _ reading: PodCPUs.Reading) {
        let size = EngineSize(settings, cpus: steady.present)
        let formerLoops = server.takingCount
        let formerWorkers = workers.workersMax
        followLoops()
        workers.setWorkersMax(size.workersMax)
        server.shared.background.setRunningMax(size.backgroundMax)
        flow.cpus = size.cpus
        republish()
        logger.notice(
            "the pod's CPU budget has changed",
            metadata: [
                "cpus": .stringConvertible(reading.cpus),
                "decided_by": .string(reading.decidedBy),
                "threads": .stringConvertible(size.cpus),
                "threads_before": .stringConvertible(former),
                "loops": .stringConvertible(server.takingCount),
                "loops_before": .stringConvertible(formerLoops),
                "workers": .stringConvertible(size.workersMax),
                "workers_before": .stringConvertible(formerWorkers),
                "concurrency": .stringConvertible(flow.pod.limit),
            ]
        )
    }

    private mutating func noteUnread(_ source: String) {
        if readingsToSay == 0 {
            logger.warning(
                "the pod's CPU budget cannot be read for now; the last one holds",
                metadata: ["source": .string(source), "threads": .stringConvertible(steady.present)]
            )
        }
        readingsToSay = Self.readingsBetween
    }

    private mutating func followLoops() {
        let wanted = min(EngineSize(settings, cpus: steady.present).loops, server.loopPlan.loopsMax)
        guard wanted != server.takingCount else { return }
        do throws(SystemCallError) {
            try server.setTaking(wanted)
            problem = nil
        } catch {
            let problem = "\(error)"
            guard problem != self.problem else { return }
            self.problem = problem
            logger.error("an event loop cannot be made; tried again each second", metadata: ["error": .string(problem)])
        }
    }
}
