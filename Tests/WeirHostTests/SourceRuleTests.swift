// SPDX-License-Identifier: Apache-2.0
// What no source may say, whoever writes it.

import Foundation
import Testing

@Suite struct SourceRuleTests {
    /// Words that sources must not have, but for the files that are named with the reason.
    struct Rule: Sendable, CustomTestStringConvertible {
        let name: String
        /// A regular expression.
        let words: String
        let instead: String
        var exceptions: [String: String] = [:]

        var testDescription: String { name }
    }

    private static let rules = [
        Rule(
            name: "nothing takes its size from the CPUs of the node",
            words: #"activeProcessorCount|processorCount|get_nprocs|hardware_concurrency|_SC_NPROCESSORS"#,
            instead: "ask CPUBudget: these know nothing of quotas",
            exceptions: [
                "Sources/Weir/App/PodCPUs.swift": "a bound of what a resize may bring, no number of threads"
            ]
        ),
        Rule(
            name: "the system is asked for no size but that of a page and of a tick",
            words: #"sysconf\((?!Int32\(_SC_(CLK_TCK|PAGESIZE)\)\))"#,
            instead: "ask the budget: it knows the pod, and the system knows the node",
            exceptions: ["Sources/Weir/App/PodCPUs.swift": "as above"]
        ),
        Rule(
            name: "no task runs on the global pool",
            // A task that is made by itself forgets the executor of the one that makes it; the children of a group do not.
            words: #"\bTask(<[^>]*>)?( \{|\.detached|\((name|priority):)|\bTask\.immediate"#,
            instead: "make it with executorPreference: the global pool has a thread for each CPU of the node",
            exceptions: [
                "Sources/Weir/App/Drain.swift": "begun by the stop signal, which has no loop; it sleeps and looks",
                "Sources/WeirGateway/Demo.swift": "the life of the demo's app, whose handlers are on its own loop",
            ]
        ),
    ]

    @Test(arguments: rules)
    func `no source breaks it but those that say why`(rule: Rule) throws {
        let words = try Regex(rule.words)
        var (readCount, excused) = (0, Set<String>())
        for path in try Self.sources() {
            let text = try String(contentsOf: Self.repository.appending(path: path), encoding: .utf8)
            readCount += 1
            for line in text.split(separator: "\n") where !Self.isComment(line) && line.contains(words) {
                guard rule.exceptions[path] == nil else {
                    excused.insert(path)
                    continue
                }
                Issue.record("\(path): \(line.trimmingCharacters(in: .whitespaces)); \(rule.instead)")
            }
        }
        #expect(readCount > 200)
        #expect(excused == Set(rule.exceptions.keys), "an exception that nobody needs")
    }

    @Test(arguments: [
        "let count = ProcessInfo.processInfo.activeProcessorCount", "sysconf(Int32(_SC_NPROCESSORS_ONLN))",
        "sysconf(Int32(_SC_PHYS_PAGES))", "sysconf(CInt(number))", "await Task { 1 }.value", "Task.detached {",
        "Task(priority: .high) {", "Task(name: \"a\") {", "Task<Void, Never> {", "Task.immediate {",
    ])
    func `what is forbidden is found`(line: String) throws {
        #expect(try Self.rules.contains { line.contains(try Regex($0.words)) })
    }

    @Test(arguments: [
        "sysconf(Int32(_SC_CLK_TCK))", "sysconf(Int32(_SC_PAGESIZE))", "Task(executorPreference: loop) { await run() }",
        "let drain: Task<Void, Never>?", "await Task.yield()", "struct HandlerTask {",
    ])
    func `what is allowed is not`(line: String) throws {
        #expect(try !Self.rules.contains { line.contains(try Regex($0.words)) })
    }

    private static let repository = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
        .deletingLastPathComponent().deletingLastPathComponent()

    private static func sources() throws -> [String] {
        try ["Sources", "Examples"].flatMap { folder in
            try FileManager.default.subpathsOfDirectory(atPath: repository.appending(path: folder).path)
                .filter { path in ["swift", "c", "h"].contains { path.hasSuffix(".\($0)") } }
                .map { "\(folder)/\($0)" }
        }
    }

    private static func isComment(_ line: Substring) -> Bool {
        line.trimmingCharacters(in: .whitespaces).hasPrefix("//")
    }
}
