// SPDX-License-Identifier: Apache-2.0
// Pressure stall information: for how long tasks waited for a resource (Linux Documentation/accounting/psi.rst).

/// For how long tasks stalled for want of one resource.
package struct PressureStall: Sendable, Equatable {
    package enum Resource: String, Sendable, CaseIterable {
        case cpu
        case memory
        case io
    }

    package enum Kind: String, Sendable, CaseIterable {
        /// At least one task waited.
        case some
        /// All that had something to do waited: nothing got done.
        case full
    }

    /// Whose tasks are meant.
    package enum Scope: String, Sendable {
        /// Those of the process's control group.
        case cgroup
        /// Those of the whole machine.
        case node
    }

    package let resource: Resource
    package let kind: Kind
    package let scope: Scope
    package let seconds: Double

    package init(_ resource: Resource, _ kind: Kind, _ scope: Scope, seconds: Double) {
        self.resource = resource
        self.kind = kind
        self.scope = scope
        self.seconds = seconds
    }

    /// Of the process's own group, or where that says nothing, of the machine; empty where neither does.
    ///
    /// - Parameter group: the process's own in cgroup v2, nil where that is the root.
    static func read(_ resource: Resource, group: ControlGroupFolders.Folder?, root: String) -> [PressureStall] {
        if let group, group.isUnified {
            let stalls = read(resource, .cgroup, HostFile("\(group.path)/\(resource.rawValue).pressure", root: root))
            if !stalls.isEmpty { return stalls }
        }
        return read(resource, .node, HostFile("/proc/pressure/\(resource.rawValue)", root: root))
    }

    private static func read(_ resource: Resource, _ scope: Scope, _ file: HostFile) -> [PressureStall] {
        guard case .text(let text) = file.read() else { return [] }
        let stalls = text.lines.compactMap { PressureStall(resource, scope, line: $0) }
        // Of a machine the kernel writes `full` for the CPU, for compatibility: it is 0 and means nothing.
        return stalls.filter { !(resource == .cpu && $0.kind == .full && scope == .node) }
    }

    /// `some avg10=0.00 avg60=0.00 avg300=0.00 total=12345`, in microseconds; nil for anything else.
    private init?(_ resource: Resource, _ scope: Scope, line: Substring) {
        let fields = line.words
        guard let kind = fields.first.flatMap({ Kind(rawValue: String($0)) }),
            let total = fields.last, total.hasPrefix("total="), let microseconds = UInt64(total.dropFirst(6))
        else { return nil }
        self.init(resource, kind, scope, seconds: Double(microseconds) / 1e6)
    }
}
