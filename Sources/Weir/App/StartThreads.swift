// SPDX-License-Identifier: Apache-2.0
// Whether the threads fit that a start makes. Asked before the first of them, because Swift's own pool traps or hangs
// where the kernel gives it none.

import Synchronization
package import WeirHost

/// The threads of engines that serve.
package enum StartThreads {
    /// Threads of one kind: their name, and how many there are of it at once.
    package typealias Kind = (name: String, count: Int)

    /// Swift's own, for tasks and signals: its pool's manager, one that handles signals, and two that work.
    package static let runtimeCount = 4

    /// What one engine makes.
    ///
    /// - Parameter isSupervised: whether somebody is told the signs of its life.
    package static func table(_ settings: Settings, cpus: Int, isSupervised: Bool = false) -> [Kind] {
        let sizes = EngineSize(settings, cpus: cpus)
        // A loop looks the store's name up when it connects.
        let lookups = 1 + (settings.rateLimiting.usesStore ? sizes.loops : 0)
        return [
            ("weir-loop", sizes.loops),
            ("weir-worker", min(settings.workersMin, sizes.workersMax)),
            ("weir-flow", 1),
            ("weir-control", 1),
            ("log", 1),
            ("weir-access-log", settings.accessLog == .off ? 0 : 1),
            ("weir-admin", settings.adminListen.isEmpty ? 0 : 1),
            ("weir-reload", settings.configurationFile.isEmpty ? 0 : 1),
            ("weir-tls", (settings.listen + settings.adminListen).contains(where: \.speaksTLS) ? 1 : 0),
            ("weir-heartbeat", isSupervised ? 1 : 0),
            ("name look-ups", lookups),
        ]
    }

    /// How many a start makes beside those that there are.
    ///
    /// - Parameters:
    ///   - engines: the settings of each engine in this process.
    ///   - others: what starts beside the engines.
    ///   - isSupervised: as for ``table(_:cpus:isSupervised:)``, of the first of them.
    ///   - present: the threads that there are. Beside the first they are taken for Swift's own: where tasks run already,
    ///     it has made them.
    package static func count(
        _ engines: [Settings],
        others: [Kind] = [],
        cpus: Int,
        isSupervised: Bool = false,
        present: Int = 1
    ) -> Int {
        let own = engines.enumerated().flatMap { index, settings in
            table(settings, cpus: cpus, isSupervised: isSupervised && index == 0)
        }
        return (own + others).reduce(max(0, runtimeCount - (present - 1))) { $0 + $1.count }
    }

    /// - Parameter room: what is left for them; nil for no bound.
    /// - Throws: `AppError.system` (exit code 69) where they do not fit.
    package static func check(_ count: Int, in room: TaskRoom?) throws(AppError) {
        guard let room, room.free < count else { return }
        throw .system(
            "\(room.file) is \(room.max) with \(room.current) in use: a start makes \(count) threads; "
                + "let it be at least \(room.current + count)"
        )
    }

    /// Whether this process was found to have room. Relaxed: engines are made one after the other, and to look twice costs
    /// nothing.
    private static let isChecked = Atomic(false)

    /// Whether the threads of the process's first engines fit into the pod. Once: later engines are tests'.
    package static func checkFirst(
        _ engines: [Settings],
        others: [Kind] = [],
        cpus: Int? = nil,
        isSupervised: Bool = false
    ) throws(AppError) {
        guard !isChecked.load(ordering: .relaxed), let first = engines.first else { return }
        let cpus = cpus ?? max(1, PodCPUs.ofThisPod(first).read().threads)
        let present = ProcessUsage.threadCount() ?? 1
        let count = count(engines, others: others, cpus: cpus, isSupervised: isSupervised, present: present)
        try check(count, in: .read())
        isChecked.store(true, ordering: .relaxed)
    }
}

extension ListenAddress {
    fileprivate var speaksTLS: Bool { if case .tls = self { true } else { false } }
}
