// SPDX-License-Identifier: Apache-2.0
// What a pod's CPUs, memory and descriptors make of what the settings leave open.

import Testing
import Weir
import WeirHost

@Suite struct PodSizesTests {
    private static func sizes(
        _ settings: Settings = Settings(),
        cpus: Int = 1,
        mebibytes: Int? = nil,
        descriptors: Int = 1 << 20,
        hasUpstreams: Bool = false
    ) -> PodSizes {
        PodSizes(
            settings,
            cpus: cpus,
            memoryBytes: mebibytes.map { $0 << 20 },
            descriptors: descriptors,
            hasUpstreams: hasUpstreams
        )
    }

    private static let pods: [(Int?, Int, Int, Int)] = [
        // Without a limit, and with much memory, all is as large as it gets.
        (nil, 1 << 20, 1 << 20, 1_048_512), (65536, 1 << 20, 1 << 20, 1_048_512),
        (1024, 1 << 20, 1 << 20, 65536), (256, 1 << 20, 1 << 20, 16384),
        (64, 256 << 10, 1 << 20, 4096), (63, 128 << 10, 512 << 10, 4032), (32, 128 << 10, 512 << 10, 2048),
        (16, 64 << 10, 256 << 10, 1024),
        // And never so small that it is of no use.
        (4, 64 << 10, 64 << 10, 256), (0, 64 << 10, 64 << 10, 16),
    ]

    @Test(arguments: pods)
    func `tables, buffers and connections shrink with the pod's memory`(
        mebibytes: Int?,
        table: Int,
        accessLog: Int,
        connections: Int
    ) {
        let sizes = Self.sizes(mebibytes: mebibytes)
        #expect(sizes.limitTableBytes == table)
        #expect(sizes.accessLogBytes == accessLog)
        #expect(sizes.connectionsMax == connections)
    }

    @Test(arguments: [(1, 1 << 20), (2, 512 << 10), (3, 256 << 10), (16, 64 << 10), (256, 64 << 10)])
    func `the loops share what is for the access log`(cpus: Int, bytes: Int) {
        #expect(Self.sizes(cpus: cpus, mebibytes: 64).accessLogBytes == bytes)
    }

    @Test(arguments: [(1, 1, 8), (2, 2, 8), (3, 3, 12), (64, 64, 256), (300, 256, 1200), (8192, 256, 4096)])
    func `threads follow the CPUs, within the ranges of their settings`(cpus: Int, loops: Int, workers: Int) {
        let sizes = Self.sizes(cpus: cpus)
        #expect(sizes.loops == loops)
        #expect(sizes.workersMax == workers)
    }

    @Test(arguments: [(1 << 20, 1_048_512), (1024, 960), (100, 94), (10, 16)])
    func `descriptors are kept back for what is no client's connection`(descriptors: Int, connections: Int) {
        #expect(Self.sizes(descriptors: descriptors).connectionsMax == connections)
    }

    @Test(arguments: [(1 << 20, 524_256), (1024, 480), (100, 47), (10, 16)])
    func `with upstreams each client's connection has a descriptor for one to an endpoint`(
        descriptors: Int,
        connections: Int
    ) {
        #expect(Self.sizes(descriptors: descriptors, hasUpstreams: true).connectionsMax == connections)
        // It is descriptors that are divided, not memory.
        let inLittleMemory = Self.sizes(mebibytes: 4, descriptors: descriptors, hasUpstreams: true)
        #expect(inLittleMemory.connectionsMax == min(connections, 256))
    }

    @Test func `what is given is not worked out`() {
        var settings = Settings()
        settings.loops = .exactly(3)
        settings.workersMax = .exactly(5)
        settings.connectionsMax = .exactly(7)
        settings.rateLimiting.tableBytes = .exactly(4096)
        settings.accessLogBufferBytes = .exactly(3 << 16)
        let sizes = Self.sizes(settings, cpus: 64, mebibytes: 16, descriptors: 1024)
        #expect(sizes.loops == 3)
        #expect(sizes.workersMax == 5)
        #expect(sizes.connectionsMax == 7)
        #expect(sizes.limitTableBytes == 4096)
        #expect(sizes.accessLogBytes == 3 << 16)
    }

    private static let policies: [(String, Double?, CPUBudget.Rounding)] = [
        ("", nil, .up), ("0", nil, .up), ("0m", nil, .up), ("500m", 0.5, .up), ("0.5", 0.5, .nearest),
        ("2", 2, .down), ("1.250", 1.25, .up),
    ]

    @Test(arguments: policies)
    func `the settings say how the CPU budget is made`(
        request: String,
        cpus: Double?,
        rounding: CPUBudget.Rounding
    ) throws {
        let settings = try Settings(environment: [
            "WEIR_CPU_REQUEST": request, "WEIR_CPU_ROUNDING": rounding.rawValue,
        ])
        #expect(settings.cpuPolicy == CPUBudget.Policy(request: cpus, rounding: rounding))
    }

    @Test(arguments: [0.0001, 0, -1, 1025, .infinity, .nan])
    func `a request that no text says is refused where code sets it`(cpus: Double) {
        var settings = Settings()
        settings.cpuRequest = cpus
        #expect(throws: SettingsError.self) { try settings.validate() }
    }
}
