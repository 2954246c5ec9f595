// SPDX-License-Identifier: Apache-2.0
// The engine: loops, workers and listeners of one port, from start to drain. A value that can be started twice in a
// process; nothing of it is global. Its loops: HTTPServer+Loops.swift.

import Logging
import Synchronization
import WeirEventLoop
import WeirFlow
import WeirMetrics

/// A running server: its loops and workers, the published snapshot, and where it is in its life.
final class HTTPServer: Sendable {
    /// What a server is made of.
    struct Plan {
        var name: String
        /// Loops at the start, and how many there may ever be.
        var loopCount: Int
        var loopsMax = 1
        var listen: [ListenAddress]
        /// Listening descriptors that are taken instead of `listen`; they belong to the server then.
        var inherited: [Int32] = []
        var connectionsMax: Int
        var descriptorsHigh: Int
        var descriptorsMax: Int
        /// What its loops and the kernel may hold for connections.
        var buffers = BufferSizes.unbounded
        var settings: Settings
        var pinsLoops: Bool
        /// Pieces of background work that run at once.
        var backgroundMax = 1
        var clock = LoopClock.monotonic
        /// The kernel's, unless a test brings its own (then one loop).
        var poller: Poller?
        /// Nil for a server whose requests are not logged; else with a ring for each loop.
        var accessLog: AccessLog?
        /// The limits and pools of its routes.
        var flow: FlowControl?
        /// Opens a loop's way to the store of limits.
        var openStore: (@Sendable (EventLoop) -> LoopStore)?
        /// Needed where `listen` has TLS addresses.
        var tls: TLSServer?
        /// Its clients are not asked for certificates.
        var isAdmin = false
    }

    let shared: ServerShared
    let policy: AcceptPolicy
    let loopPlan: LoopPlan
    /// Held while loops are added, so that whoever tells all of them something misses none.
    let roster = Mutex(Roster())
    /// Loops that have been told to close their listeners and have not yet done so.
    private let loopsToClose = Atomic<Int>(0)

    init(_ plan: Plan, snapshot: Snapshot, workers: WorkerPool, logger: Logger) throws(SystemCallError) {
        shared = ServerShared(
            configuration: ServerConfiguration(plan.settings),
            logger: logger,
            workers: workers,
            background: BackgroundQueue(
                queueMax: plan.settings.backgroundQueueMax,
                runningMax: plan.backgroundMax,
                workers: workers,
                logger: logger
            ),
            snapshots: SnapshotCell(snapshot),
            streams: Quota(max: plan.settings.streamsMax.resolved(automatic: plan.connectionsMax)),
            tunnels: Quota(max: plan.settings.tunnelsMax.resolved(automatic: plan.connectionsMax / 2)),
            accessLog: plan.accessLog,
            flow: plan.flow,
            openStore: plan.openStore,
            tls: plan.tls,
            isAdmin: plan.isAdmin
        )
        let loopsMax = max(plan.loopsMax, plan.loopCount)
        policy = AcceptPolicy(
            loops: [],
            loopsMax: loopsMax,
            connectionsMax: plan.connectionsMax,
            descriptorsHigh: plan.descriptorsHigh,
            descriptorsMax: plan.descriptorsMax,
            socketBuffers: plan.buffers.sockets
        )
        loopPlan = LoopPlan(
            name: plan.name,
            loopsMax: loopsMax,
            isPinned: plan.pinsLoops,
            buffers: plan.buffers,
            budget: plan.buffers.budget()
        )
        try makeLoops(plan)
    }

    /// The addresses that are listened on, with the ports that the kernel gave.
    var boundAddresses: [SocketAddress] { roster.withLock { $0.places.map(\.address) } }

    /// What is published now.
    var snapshot: Snapshot { shared.snapshots.snapshot }

    /// Connections that are open.
    var connectionCount: Int { loops.reduce(0) { $0 + $1.openChannelCount } }

    /// What the kernel may hold for each connection in each direction with as many as there are; 0 where it finds that
    /// itself.
    var socketBytes: Int { policy.socketBuffers.bytes(connections: max(1, policy.connectionCount)) }

    // MARK: Life

    /// Starts the loops' threads.
    func start() throws(SystemCallError) {
        policy.countOtherDescriptors()
        try roster.withLock { roster throws(SystemCallError) in
            if let first = roster.members.first { first.loop.submit { _ in first.beginProbing() } }
            roster.isRunning = true
            for member in roster.members {
                roster.threads.append(LoopThread(try SystemThread.start { member.loop.run() }))
            }
        }
    }

    /// From now on every answer says `Connection: close`; connections are still taken.
    func beginDrain() {
        shared.advance(to: .draining)
    }

    /// Publishes `next` in place of the snapshot with the version `expected`; false if that is no longer the present.
    ///
    /// Each loop routes by it from the end of its present turn on, and this call ends the sleep of those that wait for
    /// something to do. Requests that have met their route keep it.
    func publish(_ next: Snapshot, replacing expected: UInt64) -> Bool {
        guard shared.snapshots.publish(next, replacing: expected) else { return false }
        for loop in loops { loop.submit { _ in } }
        return true
    }

    /// Publishes what `compile` makes of a version that follows the present one, whoever else publishes meanwhile.
    func republish(_ compile: (_ version: UInt64) throws(AppError) -> Snapshot) throws(AppError) {
        while true {
            let present = shared.snapshots.publishedVersion
            if publish(try compile(present + 1), replacing: present) { return }
        }
    }

    /// Takes no more connections, and closes those that are idle; requests in flight go on. From now on there are as many
    /// loops as there are.
    func closeListenersAndIdle() {
        shared.advance(to: .closing)
        let members = members
        loopsToClose.wrappingAdd(members.count, ordering: .relaxed)
        for serverLoop in members {
            serverLoop.loop.submit { [self] loop in
                loop.acceptPending()
                loop.closeListeners()
                serverLoop.closeIdle()
                // Pairs with the acquire in `isQuiet`: the connections that were still accepted are counted.
                loopsToClose.wrappingSubtract(1, ordering: .releasing)
            }
        }
    }

    /// After `closeListenersAndIdle`: whether it is done and no connection is left.
    var isQuiet: Bool { loopsToClose.load(ordering: .acquiring) == 0 && connectionCount == 0 }

    /// How long a loop that a handler holds delays the end.
    private static let stopGrace: Nanoseconds = 1_000_000_000

    /// Ends the loops; connections that are left are cut. Returns when the threads have ended, or when a handler has
    /// held one for too long.
    func stop() {
        // None is added from now on.
        let loops = roster.withLock { roster in
            roster.isRunning = false
            return roster.members.map(\.loop)
        }
        for loop in loops { loop.stop() }
        let end = LoopClock.monotonic.now &+ Self.stopGrace
        guard loops.allSatisfy({ $0.awaitEnd(by: end) }) else {
            // A handler holds a loop and does not let go: the process must not wait for it. What that thread may still
            // touch stays.
            _ = Unmanaged.passRetained(self)
            return
        }
        let threads = roster.withLock { roster in
            defer { roster.threads = [] }
            return roster.threads
        }
        for thread in threads { thread.join() }
    }

    /// Serves a connected socket as if it had been accepted.
    func adopt(_ descriptor: Int32, on index: Int = 0) {
        let serverLoop = members[index]
        serverLoop.loop.submit { loop in
            loop.adopt(descriptor: descriptor, address: .unix(path: ""), open: serverLoop.open)
        }
    }
}
