// SPDX-License-Identifier: Apache-2.0
// What holds this process up from outside: quotas, stalls, the bound of tasks, the hypervisor. Read on the admin thread
// at each scrape.

/// Where the kernel counts what holds this process up. Found once; ``read()`` reads it each time.
package struct HostPressure: Sendable {
    private let cpu: [ControlGroupFolders.Folder]
    private let tasks: [ControlGroupFolders.Folder]
    /// The process's own group in v2; nil where that is the root of the hierarchy, which stands for the whole machine.
    private let unified: ControlGroupFolders.Folder?
    private let root: String

    /// How many groups above one another are read: a scrape has a bound, whatever the hierarchy.
    static let levelsMax = 16

    /// Looks for the control groups.
    ///
    /// - Parameter root: the directory that stands for `/`.
    package init(root: String = "/") {
        self.root = root
        let files = ControlGroupFiles(root: root)
        // Each once: of a hierarchy that is mounted twice the figures would be added twice.
        cpu = Array(ControlGroupFolders(controller: "cpu", in: files).groups.prefix(Self.levelsMax))
        tasks = Array(ControlGroupFolders(controller: "pids", in: files).groups.prefix(Self.levelsMax))
        // No v1 hierarchy is for no controller: stalls are counted in v2, where controllers may be in v1.
        unified = ControlGroupFolders(controller: "", in: files).folders.first.flatMap { own in
            // The root alone has no such file (Linux Documentation/admin-guide/cgroup-v2.rst). Its path does not tell:
            // in a namespace of its own a container's group is called `/`, too.
            guard case .text = HostFile("\(own.path)/cgroup.type", root: root).read() else { return nil }
            return own
        }
    }

    /// Reads what there is; what cannot be read is nil, or not in its list.
    ///
    /// At most three small files for each group, and five more: for a thread that may block. Allocates.
    package func read() -> PressureReading {
        let throttling = cpu.map { CPUThrottling(folder: $0, root: root) }
        return PressureReading(
            throttlingOwn: throttling.first ?? nil,
            throttlingAbove: Self.sum(of: throttling.dropFirst().compactMap { $0 }),
            stalls: PressureStall.Resource.allCases.flatMap {
                PressureStall.read($0, group: unified, root: root)
            },
            tasks: TaskCount.nearest(of: tasks, root: root),
            stealSeconds: StolenTime.seconds(root: root)
        )
    }

    private static func sum(of groups: [CPUThrottling]) -> CPUThrottling? {
        groups.first.map { groups.dropFirst().reduce($0, +) }
    }
}

/// What ``HostPressure`` read at one time. Counters are since the start of the group, or of the machine.
package struct PressureReading: Sendable, Equatable {
    /// How the quota of the process's own group held it up; nil without a group that counts it.
    package let throttlingOwn: CPUThrottling?

    /// The same of the groups above, together: the pod's quota holds its containers up as well.
    package let throttlingAbove: CPUThrottling?

    /// One for each resource and kind that the kernel counts.
    package let stalls: [PressureStall]

    /// Of the group that is nearest to its bound.
    package let tasks: TaskCount?

    /// CPU time that the hypervisor gave to others, of all CPUs of the machine.
    package let stealSeconds: Double?

    package init(
        throttlingOwn: CPUThrottling? = nil,
        throttlingAbove: CPUThrottling? = nil,
        stalls: [PressureStall] = [],
        tasks: TaskCount? = nil,
        stealSeconds: Double? = nil
    ) {
        self.throttlingOwn = throttlingOwn
        self.throttlingAbove = throttlingAbove
        self.stalls = stalls
        self.tasks = tasks
        self.stealSeconds = stealSeconds
    }
}
