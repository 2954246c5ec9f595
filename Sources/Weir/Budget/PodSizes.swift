// SPDX-License-Identifier: Apache-2.0
// What the settings leave to Weir (`auto`), worked out from what the pod may use. Pure.

/// How many threads and connections a pod has, and how large its tables and buffers are.
package struct PodSizes: Sendable, Equatable {
    /// Threads: what follows the CPUs while the engine runs. The rest is as it was at the start.
    let engine: EngineSize
    /// The most open connections.
    package let connectionsMax: Int
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
        let forConnections = Self.descriptorsForConnections(descriptors) / (hasUpstreams ? 2 : 1)
        connectionsMax = settings.connectionsMax.resolved(
            automatic: max(
                Self.connectionsLeast,
                min(forConnections, (memoryBytes ?? .max) / Self.bytesPerConnection)
            )
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

    /// An idle connection costs the group 2.1 KB, the kernel's part among it (measured with 4000 in a group of their own);
    /// one that is in use has the buffers of its socket besides.
    private static let bytesPerConnection = 16 << 10

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
