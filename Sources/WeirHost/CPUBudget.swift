// SPDX-License-Identifier: Apache-2.0
// How many CPUs this process may use. The number of event loops and workers comes from it.

import CWeirSystem

/// How many CPUs this process may use: the smallest of its affinity and the quotas of its control group and of every
/// group above that can be seen.
///
/// Neither Foundation's processor count nor the Swift concurrency pool looks at quotas; a pool of the node's size in a
/// pod of one CPU is throttled by the kernel for most of each period.
package struct CPUBudget: Sendable, Equatable {
    /// The budget as the limits say it, such as 1.5; above 0.
    package let cpus: Double

    /// What was looked at and what it said, in the order in which it was read; for logs and `weir budget`.
    package let sources: [Source]

    /// The budget as a number of threads: rounded up, at least 1.
    package var count: Int { max(1, Int(cpus.rounded(.up))) }

    /// Reads the budget. Nothing it finds is an error: what cannot be read sets no limit, and says so in ``sources``.
    ///
    /// - Parameters:
    ///   - root: the directory that stands for `/`.
    ///   - allowedCount: the CPUs that the calling thread may run on; nil if that is unknown.
    package static func read(root: String = "/", allowedCount: Int? = allowedCPUs) -> CPUBudget {
        var sources = [Source(name: affinityName, reading: allowedCount.map { .cpus(Double($0)) } ?? .missing)]
        sources += quotas(root: root)
        let limits = sources.compactMap { source in
            if case .cpus(let cpus) = source.reading { cpus } else { nil }
        }
        return CPUBudget(cpus: limits.min() ?? 1, sources: sources)
    }

    /// The number of CPUs in the calling thread's affinity mask; nil if the kernel does not tell.
    package static var allowedCPUs: Int? {
        let count = weir_allowed_cpu_count()
        return count > 0 ? Int(count) : nil
    }

    private static let affinityName = "affinity"

    private static func quotas(root: String) -> [Source] {
        let groups = ControlGroupFolders(controller: "cpu", root: root)
        let faults = groups.faults.map { fault in
            let reading: Reading =
                switch fault.content {
                case .text(let text): .malformed(String(text.prefix(80)))
                case .missing: .missing
                case .unreadable(let code): .unreadable(errno: code)
                }
            return Source(name: fault.file, reading: reading)
        }
        return faults
            + groups.folders.map { folder in
                let read = folder.isUnified ? CPUQuota.readUnified : CPUQuota.readLegacy
                return read(folder.path, root)
            }
    }
}

extension CPUBudget {
    /// One thing that was looked at.
    package struct Source: Sendable, Equatable {
        /// `affinity`, or the path of a file.
        package let name: String

        /// What it said.
        package let reading: Reading

        package init(name: String, reading: Reading) {
            self.name = name
            self.reading = reading
        }
    }

    /// What one source said.
    package enum Reading: Sendable, Equatable {
        /// A limit in CPUs.
        case cpus(Double)

        /// That there is no limit.
        case unlimited

        /// Nothing, as it does not exist: the topmost group, for one, has no quota file.
        case missing

        /// Something that is not of the documented form, or has none of the lines that are looked for; its beginning.
        case malformed(String)

        /// Nothing, as it could not be read.
        case unreadable(errno: Int32)
    }
}
