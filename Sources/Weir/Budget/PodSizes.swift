// SPDX-License-Identifier: Apache-2.0
// What the settings leave to Weir (`auto`), worked out from what the pod may use. Pure.

import WeirEventLoop

/// How many threads and connections a pod has, and how large its tables and buffers are.
package struct PodSizes: Sendable, Equatable {
    /// Threads: what follows the CPUs while the engine runs. The rest is as it was at the start.
    let engine: EngineSize
    /// The most open connections.
    package let connectionsMax: Int
    /// What is held for what connections have on their way.
    package let buffers: BufferSizes
    /// The memory of each keyed rate limit, in bytes.
    package let limitTableBytes: Int
    /// What each loop holds for the access log, in bytes; a power of two.
    package let accessLogBytes: Int

    /// - Parameters:
    ///   - cpus: the CPU budget as a number of threads.
    ///   - memoryBytes: the memory budget; nil where it is unknown.
    ///   - descriptors: how many descriptors may be open.
    ///   - hasUpstreams: whether there are upstreams, or a reload may bring some.
    package init(_ settings: Settings, cpus: Int, memoryBytes: Int?, descriptors: Int, hasUpstreams: Bool) {
        engine = EngineSize(settings, cpus: cpus)
        // A client's connection needs at most one to an endpoint at a time.
        let connectionsOfAClient = hasUpstreams ? 2 : 1
        let forConnections = Self.descriptorsForConnections(descriptors) / connectionsOfAClient
        let bytesOfAClient =
            Self.bytesPerConnection * connectionsOfAClient
            + (settings.listen.contains(where: \.isTLS) ? Self.bytesPerSecureConnection : 0)
        connectionsMax = settings.connectionsMax.resolved(
            automatic: max(
                Self.connectionsLeast,
                min(forConnections, (memoryBytes ?? .max) / bytesOfAClient)
            )
        )
        let connections = connectionsMax * connectionsOfAClient
        buffers = BufferSizes(
            bytesMax: settings.bufferBytes.resolved(
                automatic: memoryBytes.map { max(Self.bufferBytesLeast, $0 / Self.bufferDivisor) } ?? .max
            ),
            sockets: Self.sockets(settings.socketBufferBytes, memoryBytes, connections: connections),
            connectionsMax: connections
        )
        limitTableBytes = Self.limitTableBytes(settings.rateLimiting, memoryBytes: memoryBytes)
        let accessLogShare = (memoryBytes ?? .max) / Self.accessLogDivisor / engine.loops
        accessLogBytes = settings.accessLogBufferBytes.resolved(
            automatic: Self.clamped(accessLogShare, to: Self.accessLogRange).powerOfTwoBelow
        )
    }

    /// Event loops.
    package var loops: Int { engine.loops }

    /// The most threads for handlers that block.
    package var workersMax: Int { engine.workersMax }

    /// The memory of each keyed rate limit; a reload asks for it anew.
    static func limitTableBytes(_ settings: Settings.RateLimiting, memoryBytes: Int?) -> Int {
        settings.tableBytes.resolved(
            automatic: clamped((memoryBytes ?? .max) / limitTableDivisor, to: limitTableRange).powerOfTwoBelow
        )
    }

    /// Less those that are kept for what is no client's connection: files, logs, loops, the admin port.
    static func descriptorsForConnections(_ descriptors: Int) -> Int {
        descriptors - min(descriptorsReserved, descriptors / 16)
    }

    private static let descriptorsReserved = 64
    private static let connectionsLeast = 16

    /// What a connection needs that has bytes on their way in both directions: two buffers of the kernel's, as small as
    /// they get (32 KiB), what a loop keeps for each (`BufferBudget.bytesPerConnection`, 12 KiB), and the objects of its
    /// request. An idle one costs the group 2.1 KB, the kernel's part among it (measured with 4000 in a group of their own).
    private static let bytesPerConnection = 64 << 10
    /// What one of TLS needs besides: OpenSSL's object, 14 KB idle (measured with 2000), and a record as it comes.
    private static let bytesPerSecureConnection = 32 << 10

    /// All loops together have this part of the memory for buffers.
    private static let bufferDivisor = 4
    private static let bufferBytesLeast = 256 << 10

    /// From here on the kernel finds the sizes of its buffers itself.
    private static let unboundedSocketsMemory = 1 << 30
    /// Half of the memory is enough for the buffers of all connections, each full in both directions; in large pods …
    private static let socketsDivisor = 2
    /// … in one: there are so many connections that they would crawl in less. In this part of the memory, within the range.
    private static let socketLeastDivisor = 4096
    private static let socketLeastRange = 16 << 10...32 << 10

    private static func sockets(_ setting: Settings.Count, _ memoryBytes: Int?, connections: Int) -> SocketBuffers {
        guard setting == .automatic else { return SocketBuffers(bytesLeast: setting.resolved(automatic: 0)) }
        guard let memoryBytes, memoryBytes < unboundedSocketsMemory else { return .ofTheKernel }
        let least = clamped(memoryBytes / socketLeastDivisor, to: socketLeastRange)
        let shared = memoryBytes / socketsDivisor
        let bytes = max(least, shared / 2 / connections)
        // In whole pages.
        return SocketBuffers(bytesLeast: bytes / 4096 * 4096, bytesShared: shared)
    }

    /// Keyed limits are few: a dozen of them take a twentieth of the memory.
    private static let limitTableDivisor = 256
    private static let limitTableRange = 64 << 10...1 << 20

    /// All loops together.
    private static let accessLogDivisor = 64
    private static let accessLogRange = 64 << 10...1 << 20

    private static func clamped(_ value: Int, to range: ClosedRange<Int>) -> Int {
        min(max(value, range.lowerBound), range.upperBound)
    }
}

extension Int {
    /// The largest power of two that is not above it; it is above 0.
    fileprivate var powerOfTwoBelow: Int { 1 << (Int.bitWidth - 1 - leadingZeroBitCount) }
}
