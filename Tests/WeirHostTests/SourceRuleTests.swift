// SPDX-License-Identifier: Apache-2.0
// What no source may say, whoever writes it.

import Foundation
import Testing

@Suite struct SourceRuleTests {
    /// What counts the CPUs of the node, and knows nothing of quotas.
    private static let counters = [
        "activeProcessorCount", "processorCount", "get_nprocs", "hardware_concurrency",
    ]

    @Test func `nothing takes its size from the CPUs of the node`() throws {
        let repository = URL(filePath: #filePath).resolvingSymlinksInPath().deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
        var readCount = 0
        for folder in ["Sources", "Examples"] {
            let files = FileManager.default.enumerator(atPath: repository.appending(path: folder).path)
            while let path = files?.nextObject() as? String {
                guard ["swift", "c", "h"].contains(where: { path.hasSuffix(".\($0)") }) else { continue }
                let text = try String(contentsOf: repository.appending(path: "\(folder)/\(path)"), encoding: .utf8)
                readCount += 1
                for counter in Self.counters {
                    #expect(!text.contains(counter), "\(folder)/\(path) asks \(counter); ask CPUBudget")
                }
            }
        }
        #expect(readCount > 200)
    }
}
