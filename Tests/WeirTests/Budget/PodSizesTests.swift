// SPDX-License-Identifier: Apache-2.0
// What a pod's CPUs, memory and descriptors make of what the settings leave open.

import Testing
import Weir
import WeirEventLoop
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
        (1024, 1 << 20, 1 << 20, 16384), (256, 1 << 20, 1 << 20, 4096),
        (64, 256 << 10, 1 << 20, 1024), (63, 128 << 10, 512 << 10, 1008), (32, 128 << 10, 512 << 10, 512),
        (16, 64 << 10, 256 << 10, 256),
        // And never so small that it is of no use.
        (4, 64 << 10, 64 << 10, 64), (0, 64 << 10, 64 << 10, 16),
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
        // And the memory for it: what flows is held on both sides.
        let inLittleMemory = Self.sizes(mebibytes: 4, descriptors: descriptors, hasUpstreams: true)
        #expect(inLittleMemory.connectionsMax == min(connections, 32))
        #expect(inLittleMemory.buffers.connectionsMax == 2 * inLittleMemory.connectionsMax)
    }

    private static let buffers: [(Int?, Int, Int)] = [
        (nil, .max, 0), (65536, 16 << 30, 0), (1024, 256 << 20, 0), (1023, 1023 << 18, 32 << 10),
        (128, 32 << 20, 32 << 10), (96, 24 << 20, 24 << 10), (64, 16 << 20, 16 << 10), (32, 8 << 20, 16 << 10),
        (0, 256 << 10, 16 << 10),
    ]

    @Test(arguments: buffers)
    func `connections have a quarter of the memory for buffers, and the kernel's are bounded where it is little`(
        mebibytes: Int?,
        bytes: Int,
        socketBytes: Int
    ) {
        let buffers = Self.sizes(mebibytes: mebibytes).buffers
        #expect(buffers.bytesMax == bytes)
        #expect(buffers.sockets.bytesLeast == socketBytes)
        // Few connections share what all have.
        #expect(buffers.sockets.bytesShared == (socketBytes == 0 ? 0 : (mebibytes ?? 0) << 19))
    }

    @Test(arguments: [16, 64, 256, 1024, 65536], [false, true])
    func `every connection's least fits into the memory for buffers`(mebibytes: Int, hasUpstreams: Bool) {
        let sizes = Self.sizes(mebibytes: mebibytes, hasUpstreams: hasUpstreams)
        let budget = sizes.buffers.budget()
        let least = sizes.buffers.connectionsMax * BufferBudget.bytesPerConnection
        #expect(budget.bytesLent + least <= budget.bytesMax)
        // With the kernel's at their least it is less than all.
        let socketsLeast = sizes.buffers.connectionsMax * 2 * (16 << 10)
        #expect(budget.bytesMax + socketsLeast <= mebibytes << 20 - mebibytes << 18)
    }

    @Test(arguments: [
        (512, 1024, 128 << 10), (512, 8192, 32 << 10), (64, 1024, 16 << 10), (64, 480, 32 << 10), (64, 1, 16 << 20),
    ])
    func `the kernel's buffers are as large as half of the memory has room for all connections, and never too small`(
        mebibytes: Int,
        connections: Int,
        bytes: Int
    ) {
        var settings = Settings()
        settings.connectionsMax = .exactly(connections)
        #expect(Self.sizes(settings, mebibytes: mebibytes).buffers.sockets.bytesLeast == bytes)
        // Where each has one to an endpoint as well, half as much; in whole pages.
        let least = min(max(mebibytes << 8, 16 << 10), 32 << 10)
        let ofGateway = Self.sizes(settings, mebibytes: mebibytes, hasUpstreams: true).buffers.sockets.bytesLeast
        #expect(ofGateway == max(least, bytes / 2 / 4096 * 4096))
    }

    @Test func `connections of TLS take half as much memory again`() {
        var settings = Settings()
        settings.listen.append(.tls(host: nil, port: 8443))
        #expect(Self.sizes(settings, mebibytes: 96).connectionsMax == 1024)
    }

    @Test func `what is given is not worked out`() {
        var settings = Settings()
        settings.loops = .exactly(3)
        settings.workersMax = .exactly(5)
        settings.connectionsMax = .exactly(7)
        settings.rateLimiting.tableBytes = .exactly(4096)
        settings.accessLogBufferBytes = .exactly(3 << 16)
        settings.bufferBytes = .exactly(5 << 20)
        settings.socketBufferBytes = .exactly(1 << 20)
        let sizes = Self.sizes(settings, cpus: 64, mebibytes: 16, descriptors: 1024)
        #expect(sizes.loops == 3)
        #expect(sizes.workersMax == 5)
        #expect(sizes.connectionsMax == 7)
        #expect(sizes.limitTableBytes == 4096)
        #expect(sizes.accessLogBytes == 3 << 16)
        #expect(
            sizes.buffers
                == BufferSizes(bytesMax: 5 << 20, sockets: SocketBuffers(bytesLeast: 1 << 20), connectionsMax: 7)
        )
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
