// SPDX-License-Identifier: Apache-2.0
// Whether the threads fit that a start makes. Asked before the first of them, because Swift's own pool traps or hangs
// where the kernel gives it none.

import Synchronization
package import WeirHost

/// The threads of an engine that serves.
package enum StartThreads {
    /// Swift's own, for tasks and signals: its pool's manager, one that handles signals, and two that work.
    private static let runtimeCount = 4

    /// How many a start makes beside the first.
    ///
    /// - Parameter engines: how many engines there are in this process.
    package static func count(_ settings: Settings, cpus: Int, engines: Int = 1) -> Int {
        let sizes = EngineSize(settings, cpus: cpus)
        // `weir-flow`, `weir-control`, the log's.
        var each = sizes.loops + 3 + min(settings.workersMin, sizes.workersMax)
        if settings.accessLog != .off { each += 1 }
        var count = runtimeCount + engines * each
        if !settings.adminListen.isEmpty { count += 1 }
        if !settings.configurationFile.isEmpty { count += 1 }
        return count
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

    /// Whether the threads of the process's first engines fit into the pod. Once: later the runtime has its own.
    package static func checkFirst(_ settings: Settings, cpus: Int? = nil, engines: Int = 1) throws(AppError) {
        guard !isChecked.load(ordering: .relaxed) else { return }
        let cpus = cpus ?? max(1, PodCPUs.ofThisPod(settings).read().threads)
        try check(count(settings, cpus: cpus, engines: engines), in: .read())
        isChecked.store(true, ordering: .relaxed)
    }
}
