// SPDX-License-Identifier: Apache-2.0
// What `weir budget` and `/config` show of a budget.

import FoundationEssentials
import Testing
import Weir
import WeirHost

@Suite struct BudgetReportTests {
    /// A file can say anything.
    private static let nasty = "a \"b\"\\\u{1B}[2J\u{0}\nc"

    private static let pod = PodBudget(
        cpu: CPUBudget.read(CPUBudget.Policy(request: 0.25), root: "/nowhere", affinity: 4),
        memory: MemoryUsage(
            usedBytes: 3 << 19,
            limitBytes: 64 << 20,
            budget: Budget(sources: [
                BudgetSource("memory.max", .limit, text: "67108864", .amount(67_108_864)),
                BudgetSource("memory.high", .limit, text: nasty, .malformed),
                BudgetSource("memory.stat", .limit, .unreadable(errno: 13)),
                BudgetSource("soft", .information, text: "1000", .amount(1000)),
            ])
        ),
        descriptors: DescriptorLimit(soft: 1024, hard: 4096),
        tasks: Budget(sources: [BudgetSource("pids.max", .limit, text: "max", .unlimited)]),
        sizes: PodSizes(Settings(), cpus: 1, memoryBytes: 64 << 20, descriptors: 4096, hasUpstreams: false)
    )

    private struct Page: Decodable {
        struct Resource: Decodable {
            struct Source: Decodable {
                let name: String
                let role: String
                let said: String
                let means: String
                let amount: Double?
                let errno: Int?
            }

            enum CodingKeys: String, CodingKey {
                case amount, threads, used, sources
                case decidedBy = "decided_by"
            }

            let amount: Double?
            let threads: Int?
            let used: Int?
            let decidedBy: String?
            let sources: [Source]?
        }

        let cpu: Resource
        let memory: Resource
        let descriptors: Resource
        let tasks: Resource
        let sizes: [String: Int?]
    }

    @Test func `the JSON has every source, and who decided`() throws {
        let page = try JSONDecoder().decode(Page.self, from: Data(BudgetReport(Self.pod).json.utf8))
        #expect(page.cpu.amount == 0.25)
        #expect(page.cpu.threads == 1)
        #expect(page.cpu.decidedBy == "WEIR_CPU_REQUEST")
        #expect(page.memory.amount == Double(64 << 20))
        #expect(page.memory.used == 3 << 19)
        let sources = try #require(page.memory.sources)
        #expect(sources.map(\.means) == ["amount", "malformed", "unreadable", "amount"])
        #expect(sources.map(\.role) == ["limit", "limit", "limit", "information"])
        #expect(sources[1].said == "a \"b\"\\\u{FFFD}[2J\u{FFFD} c")
        #expect(sources[2].errno == 13)
        #expect(page.descriptors.decidedBy == "RLIMIT_NOFILE, hard")
        #expect(page.tasks.amount == nil)
        #expect(page.tasks.decidedBy == nil)
        #expect(page.sizes["WEIR_RATE_LIMIT_TABLE"] == 256 << 10)
    }

    @Test func `the text has a part for each resource, and a mark before who decided`() {
        let parts = BudgetReport(Self.pod).text.split(separator: "\n\n")
        #expect(parts.count == 5)
        #expect(parts[0].hasPrefix("cpu: 0.25 CPUs, 1 thread (rounding up)\n"))
        #expect(parts[1].hasPrefix("memory: 64 MiB, 1.5 MiB in use\n* memory.max "))
        #expect(parts[1].contains("cannot be read: Permission denied"))
        #expect(parts[1].hasSuffix("1000 B, does not count"))
        #expect(parts[3].hasPrefix("tasks: no limit known\n  pids.max "))
        // A line for each of them, whatever its files said.
        #expect(parts[1].split(separator: "\n").count == 5)
        #expect(!parts[1].contains("\u{1B}"))
    }

    @Test func `the page of settings has the budget in short`() throws {
        struct Settled: Decodable { let budget: Page }
        let page = ConfigurationPage.json(Settings(), budget: BudgetReport(Self.pod))
        let budget = try JSONDecoder().decode(Settled.self, from: Data(page)).budget
        #expect(budget.memory.amount == Double(64 << 20))
        #expect(budget.memory.sources == nil)
        #expect(budget.sizes["WEIR_CONNECTIONS"] == 1024)
    }
}
