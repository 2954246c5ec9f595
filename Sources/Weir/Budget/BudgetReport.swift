// SPDX-License-Identifier: Apache-2.0
// What `weir budget` prints. Pure.

import Glibc
import WeirHost

/// A pod's budget for people and for programs.
package struct BudgetReport: Sendable {
    /// One resource.
    private struct Section: Sendable {
        let name: String
        let budget: Budget
        /// What was concluded, in words.
        let conclusion: String
        /// The members of its JSON object that are its own, each a key and its JSON.
        let members: [(String, String)]
        let unit: @Sendable (Double) -> String
    }

    private let sections: [Section]
    private let sizes: [Size]

    /// What the settings leave open, and what became of it.
    private struct Size: Sendable {
        let name: String
        /// Nil where nothing is set.
        let amount: Int?
        var isBytes = false
        var withoutAmount = ""
    }

    package init(_ pod: PodBudget) {
        sections = [
            Self.cpu(pod.cpu), Self.memory(pod.memory),
            Self.count("descriptors", pod.descriptors.budget), Self.count("tasks", pod.tasks),
        ]
        let buffers = pod.sizes.buffers
        sizes = [
            Size(name: "WEIR_LOOPS", amount: pod.sizes.loops),
            Size(name: "WEIR_WORKERS", amount: pod.sizes.workersMax),
            Size(name: "WEIR_CONNECTIONS", amount: pod.sizes.connectionsMax),
            Size(name: "WEIR_BUFFER_MEMORY", amount: buffers.bytesBound, isBytes: true, withoutAmount: "no limit"),
            Size(name: "WEIR_SOCKET_BUFFER", amount: buffers.socketBound, isBytes: true, withoutAmount: "the kernel's"),
            Size(name: "WEIR_RATE_LIMIT_TABLE", amount: pod.sizes.limitTableBytes, isBytes: true),
            Size(name: "WEIR_ACCESS_LOG_BUFFER", amount: pod.sizes.accessLogBytes, isBytes: true),
        ]
    }

    private static func cpu(_ cpu: CPUBudget) -> Section {
        let threads = cpu.count == 1 ? "1 thread" : "\(cpu.count) threads"
        return Section(
            name: "cpu",
            budget: cpu.budget,
            conclusion: "\(AmountText.cpus(cpu.cpus)), \(threads) (rounding \(cpu.policy.rounding.rawValue))",
            members: [("threads", "\(cpu.count)"), ("rounding", "\"\(cpu.policy.rounding.rawValue)\"")],
            unit: AmountText.cpus
        )
    }

    private static func memory(_ memory: MemoryUsage) -> Section {
        let used = memory.usedBytes.map { ", \(AmountText.bytes(Double($0))) in use" } ?? ""
        return Section(
            name: "memory",
            budget: memory.budget,
            conclusion: (memory.budget.amount.map(AmountText.bytes) ?? "unknown") + used,
            members: [("used", memory.usedBytes.map { "\($0)" } ?? "null")],
            unit: AmountText.bytes
        )
    }

    private static func count(_ name: String, _ budget: Budget) -> Section {
        Section(
            name: name,
            budget: budget,
            conclusion: budget.amount.map(AmountText.plain) ?? "no limit known",
            members: [],
            unit: AmountText.plain
        )
    }

    // MARK: Text

    /// A part for each resource: what was concluded, then a line for each source with what it said and what that means;
    /// `*` is before the one that decided.
    package var text: String {
        let rows = sections.map { section in section.budget.sources.map { row(of: $0, section) } }
        let widths = (0..<2).map { column in
            rows.joined().map(\.[column].count).filter { $0 <= Self.widthMax }.max() ?? 0
        }
        let parts = zip(sections, rows).map { section, rows in
            "\(section.name): \(section.conclusion)\n"
                + zip(section.budget.sources, rows).map { source, row in
                    let mark = source == section.budget.deciding ? "*" : " "
                    return "\(mark) \(row[0].padded(to: widths[0]))  \(row[1].padded(to: widths[1]))  \(row[2])\n"
                }.joined()
        }
        let nameWidth = sizes.map(\.name.count).max() ?? 0
        let sizeLines = sizes.map { size in
            let text =
                size.amount.map { size.isBytes ? AmountText.bytes(Double($0)) : "\($0)" } ?? size.withoutAmount
            return "  \(size.name.padded(to: nameWidth))  \(text)\n"
        }
        return (parts + ["sizes:\n" + sizeLines.joined()]).joined(separator: "\n")
    }

    private func row(of source: BudgetSource, _ section: Section) -> [String] {
        [source.name, source.text.isEmpty ? "-" : source.text, meaning(of: source, section)]
    }

    private func meaning(of source: BudgetSource, _ section: Section) -> String {
        switch source.reading {
        case .amount(let amount):
            source.role == .information ? "\(section.unit(amount)), does not count" : section.unit(amount)
        case .unlimited: "no limit"
        case .group: "the group of this process"
        case .hiddenGroup: "a group that no mount shows; the mount points are read"
        case .nothing: "says nothing"
        case .missing: "does not exist"
        case .malformed: "not understood, does not count"
        case .unreadable(let code): "cannot be read: \(String(cString: strerror(code)))"
        }
    }

    /// What is longer does not push the other columns out of sight.
    private static let widthMax = 72

    // MARK: JSON

    /// One object: for each resource its amount (null where nothing says one), who decided, and all sources; and the
    /// sizes that are used.
    package var json: String {
        var json = JSONWriter()
        append(to: &json, withSources: true)
        json.append("\n")
        return String(decoding: json.bytes, as: UTF8.self)
    }

    func append(to json: inout JSONWriter, withSources: Bool) {
        json.append("{")
        for section in sections {
            json.append(string: section.name)
            json.append(":{\"amount\":\(section.budget.amount.map(AmountText.plain) ?? "null")")
            for (key, value) in section.members { json.append(",\"\(key)\":\(value)") }
            json.append(",\"decided_by\":")
            if let deciding = section.budget.deciding {
                json.append(string: deciding.name)
            } else {
                json.append("null")
            }
            if withSources {
                json.append(",\"sources\":[")
                for (index, source) in section.budget.sources.enumerated() {
                    if index > 0 { json.append(",") }
                    append(source, to: &json)
                }
                json.append("]")
            }
            json.append("},")
        }
        json.append("\"sizes\":{")
        for (index, size) in sizes.enumerated() {
            json.append("\(index > 0 ? "," : "")\"\(size.name)\":\(size.amount.map { "\($0)" } ?? "null")")
        }
        json.append("}}")
    }

    private func append(_ source: BudgetSource, to json: inout JSONWriter) {
        json.append("{\"name\":")
        json.append(string: source.name)
        json.append(",\"role\":\"\(source.role.rawValue)\",\"said\":")
        json.append(string: source.text)
        let (means, more) =
            switch source.reading {
            case .amount(let amount): ("amount", ",\"amount\":\(AmountText.plain(amount))")
            case .unlimited: ("unlimited", "")
            case .group: ("group", "")
            case .hiddenGroup: ("hidden_group", "")
            case .nothing: ("nothing", "")
            case .missing: ("missing", "")
            case .malformed: ("malformed", "")
            case .unreadable(let code): ("unreadable", ",\"errno\":\(code)")
            }
        json.append(",\"means\":\"\(means)\"\(more)}")
    }
}

/// Amounts as they are shown.
package enum AmountText {
    /// A whole number without a fraction: `2`, `0.5`. JSON has the same.
    package static func plain(_ amount: Double) -> String {
        Int(exactly: amount).map { "\($0)" } ?? "\(amount)"
    }

    static func cpus(_ amount: Double) -> String {
        let thousandths = (amount * 1000).rounded() / 1000
        return amount == 1 ? "1 CPU" : "\(plain(thousandths > 0 ? thousandths : amount)) CPUs"
    }

    /// In the largest unit that it is a whole number of, or else in the largest that it reaches, to the tenth.
    static func bytes(_ amount: Double) -> String {
        let units = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)]
        for (name, shift) in units {
            let count = amount / Double(1 << shift)
            if count >= 1 { return "\(plain((count * 10).rounded() / 10)) \(name)" }
        }
        return "\(plain(amount)) B"
    }
}

extension String {
    fileprivate func padded(to width: Int) -> String {
        self + String(repeating: " ", count: Swift.max(0, width - count))
    }
}
