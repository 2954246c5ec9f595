// SPDX-License-Identifier: Apache-2.0
// How large an engine is: what of its settings comes from the pod's CPUs, and changes with them.

import WeirEventLoop

/// The threads that an engine has for so many CPUs, where its settings leave that open.
struct EngineSize: Equatable {
    let cpus: Int
    let loops: Int
    let workersMax: Int
    /// Pieces of background work that run at once: half the workers, so that the other half is left for handlers.
    let backgroundMax: Int

    init(_ settings: Settings, cpus: Int) {
        self.cpus = cpus
        loops = settings.loops.resolved(automatic: min(cpus, Self.loopsMax))
        workersMax = settings.workersMax.resolved(automatic: min(max(8, 4 * cpus), Self.workersMax))
        backgroundMax = settings.backgroundTasksMax.resolved(automatic: max(1, workersMax / 2))
    }

    /// How many loops there may ever be. Some memory of each route's pool and guard is taken for each of them from the
    /// start: so a pod can grow to 16 loops on any machine, and to four times what it began with on a large one.
    func loopsMax(_ settings: Settings, cpusMax: Int) -> Int {
        guard settings.loops == .automatic else { return loops }
        return max(loops, min(cpusMax, max(Self.loopsMaxAtLeast, Self.growthMax * loops)))
    }

    /// The ranges of `WEIR_LOOPS` and `WEIR_WORKERS` end there.
    private static let loopsMax = 256
    private static let workersMax = 4096
    private static let loopsMaxAtLeast = 16
    private static let growthMax = 4
}

/// Tells a change that lasts from one that does not: a number counts when it is read a second time in a row.
package struct SteadyCount {
    package private(set) var present: Int
    private var candidate: Int?

    package init(_ present: Int) {
        self.present = present
    }

    /// Takes in what was read; answers the former number where this is another, for good.
    package mutating func note(_ count: Int) -> Int? {
        guard count != present else {
            candidate = nil
            return nil
        }
        guard count == candidate else {
            candidate = count
            return nil
        }
        defer { present = count }
        candidate = nil
        return present
    }
}
