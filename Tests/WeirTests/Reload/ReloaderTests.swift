// SPDX-License-Identifier: Apache-2.0
// When reloads happen: one after the other, and whenever the file is another.

import FoundationEssentials
import Glibc
import Synchronization
import Testing
import Weir
import WeirEventLoop
import WeirTestSupport

@Suite struct ReloaderTests {
    /// How many reloads have begun.
    private final class Runs: Sendable {
        private let begun = Atomic<Int>(0)

        var count: Int { begun.load(ordering: .acquiring) }

        func begin() -> Int { begun.wrappingAdd(1, ordering: .acquiringAndReleasing).newValue }
    }

    @Test func `those who ask while one runs share one more`() async throws {
        let (runs, gate) = (Runs(), Gate())
        let reloader = try Reloader(watching: nil, version: nil) {
            let run = runs.begin()
            if run == 1 { gate.pass() }
            return .unchanged(version: UInt64(run))
        }
        try reloader.start()
        defer { reloader.stop() }
        async let first = reloader.reload()
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        for _ in 0..<100 { reloader.trigger() }
        gate.open()
        let answer = await first
        #expect(answer == .unchanged(version: 1))
        #expect(await eventuallyTrue { runs.count == 2 })
        #expect(await reloader.reload() == .unchanged(version: 3))
    }

    @Test func `who waits at the end is told, and who comes later`() async throws {
        let gate = Gate()
        let reloader = try Reloader(watching: nil, version: nil) {
            gate.pass()
            return .unchanged(version: 1)
        }
        try reloader.start()
        reloader.trigger()
        #expect(await eventuallyTrue { gate.waitingCount == 1 })
        async let late = reloader.reload()
        // The thread is held: the end does not wait for it.
        reloader.stop(grace: 0)
        let answer = await late
        #expect(answer == nil)
        #expect(await reloader.reload() == nil)
        gate.open()
    }

    /// How a file becomes another.
    enum Change: CaseIterable, Sendable {
        case writtenInPlace
        case movedOver
        case linkSwapped
        case removed

        /// The folder as it was before, and the path of the file.
        func prepare(_ folder: String) throws -> String {
            let path = "\(folder)/weir.yaml"
            guard self == .linkSwapped else {
                try Self.write("one", path)
                return path
            }
            // As the kubelet mounts a ConfigMap.
            #expect(mkdir("\(folder)/..1", 0o700) == 0)
            try Self.write("one", "\(folder)/..1/weir.yaml")
            #expect(symlink("..1", "\(folder)/..data") == 0)
            #expect(symlink("..data/weir.yaml", path) == 0)
            return path
        }

        func make(_ folder: String, _ path: String) throws {
            switch self {
            case .writtenInPlace: try Self.write("another", path)
            case .movedOver:
                try Self.write("another", "\(folder)/new")
                #expect(rename("\(folder)/new", path) == 0)
            case .linkSwapped:
                #expect(mkdir("\(folder)/..2", 0o700) == 0)
                try Self.write("another", "\(folder)/..2/weir.yaml")
                #expect(symlink("..2", "\(folder)/..data_tmp") == 0)
                #expect(rename("\(folder)/..data_tmp", "\(folder)/..data") == 0)
            case .removed:
                #expect(unlink(path) == 0)
                // A removal alone is seen at the next look; this is what editors and kubelets do beside it.
                try Self.write("x", "\(folder)/other")
            }
        }

        private static func write(_ text: String, _ path: String) throws {
            try Data(text.utf8).write(to: URL(filePath: path))
        }
    }

    @Test(arguments: Change.allCases)
    func `a file that becomes another is reloaded once`(change: Change) async throws {
        let folder = try ScratchFolder()
        let path = try change.prepare(folder.path)
        let runs = Runs()
        let reloader = try Reloader(watching: path, version: FileVersion(path: path)) {
            .unchanged(version: UInt64(runs.begin()))
        }
        try reloader.start()
        defer { reloader.stop() }
        // Behind the start of the watch, on the same thread.
        #expect(await reloader.reload() == .unchanged(version: 1))
        try change.make(folder.path, path)
        #expect(await eventuallyTrue { runs.count == 2 })
        // Something else in the folder is no change.
        try Data("x".utf8).write(to: URL(filePath: "\(folder.path)/else"))
        #expect(await reloader.reload() == .unchanged(version: 3))
    }

    @Test func `what changed between the start's read and the watch is seen`() async throws {
        let folder = try ScratchFolder()
        let path = try Change.writtenInPlace.prepare(folder.path)
        let version = FileVersion(path: path)
        try Change.movedOver.make(folder.path, path)
        let runs = Runs()
        let reloader = try Reloader(watching: path, version: version) { .unchanged(version: UInt64(runs.begin())) }
        try reloader.start()
        defer { reloader.stop() }
        #expect(await eventuallyTrue { runs.count == 1 })
    }
}
