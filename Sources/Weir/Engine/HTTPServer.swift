// SPDX-License-Identifier: Apache-2.0
// The engine: loops, workers and listeners of one port, from start to drain. A value that can be started twice in a
// process; nothing of it is global.

import Glibc
import Logging
import Synchronization
import WeirEventLoop
import WeirFlow
import WeirHost
import WeirMetrics

/// A running server: its loops and workers, the published snapshot, and where it is in its life.
final class HTTPServer: Sendable {
    /// What a server is made of.
    struct Plan {
        var name: String
        var loopCount: Int
        var listen: [ListenAddress]
        /// Listening descriptors that are taken instead of `listen`; they belong to the server then.
        var inherited: [Int32] = []
        var connectionsMax: Int
        var descriptorsHigh: Int
        var descriptorsMax: Int
        var settings: Settings
        var pinsLoops: Bool
        var clock = LoopClock.monotonic
        /// The kernel's, unless a test brings its own (then one loop).
        var poller: Poller?
        /// Nil for a server whose requests are not logged; else with a ring for each loop.
        var accessLog: AccessLog?
        /// The limits and pools of its routes.
        var flow: FlowControl?
        /// Opens a loop's way to the store of limits.
        var openStore: (@Sendable (EventLoop) -> LoopStore)?
    }

    let shared: ServerShared
    let loops: [EventLoop]
    let shards: [MetricsShard]
    private let serverLoops: [ServerLoop]
    private let threads = Mutex(Threads())
    private let addresses = Mutex<[SocketAddress]>([])
    /// Loops that have been told to close their listeners and have not yet done so.
    private let loopsToClose = Atomic<Int>(0)

    private struct Threads: ~Copyable {
        var running: [ThreadHandle] = []
    }

    /// Boxes a thread so that several fit into an array.
    private final class ThreadHandle: Sendable {
        private let thread: Mutex<SystemThread?>

        init(_ thread: consuming SystemThread) {
            self.thread = Mutex(consume thread)
        }

        func join() {
            let thread = thread.withLock { $0.take() }
            if let thread { thread.join() }
        }
    }

    init(_ plan: Plan, snapshot: Snapshot, workers: WorkerPool, logger: Logger) throws(SystemCallError) {
        shared = ServerShared(
            configuration: ServerConfiguration(plan.settings),
            logger: logger,
            workers: workers,
            background: BackgroundQueue(
                queueMax: plan.settings.backgroundQueueMax,
                // Half the workers, so that the other half is left for handlers.
                runningMax: plan.settings.backgroundTasksMax.resolved(automatic: max(1, workers.workersMax / 2)),
                workers: workers,
                logger: logger
            ),
            snapshots: SnapshotCell(snapshot),
            streams: Quota(max: plan.settings.streamsMax.resolved(automatic: plan.connectionsMax)),
            tunnels: Quota(max: plan.settings.tunnelsMax.resolved(automatic: plan.connectionsMax / 2)),
            accessLog: plan.accessLog,
            flow: plan.flow,
            openStore: plan.openStore
        )
        var loops: [EventLoop] = []
        for index in 0..<plan.loopCount {
            let loop = try EventLoop(
                index: index,
                name: "\(plan.name)-\(index)",
                metrics: MetricsShard(),
                clock: plan.clock,
                poller: plan.poller,
                pinnedTo: plan.pinsLoops ? AllowedCPU.number(index) : nil
            )
            loops.append(loop)
        }
        self.loops = loops
        shards = loops.map(\.metrics)
        let policy = AcceptPolicy(
            loops: loops,
            connectionsMax: plan.connectionsMax,
            descriptorsHigh: plan.descriptorsHigh,
            descriptorsMax: plan.descriptorsMax
        )
        var serverLoops: [ServerLoop] = []
        for loop in loops {
            loop.acceptPolicy = policy
            serverLoops.append(ServerLoop(loop: loop, shared: shared))
        }
        self.serverLoops = serverLoops
        guard plan.inherited.isEmpty else {
            for descriptor in plan.inherited { try share(descriptor, address: Listener.inherit(descriptor), file: nil) }
            return
        }
        for address in plan.listen { try listen(on: address, plan.settings) }
    }

    /// The addresses that are listened on, with the ports that the kernel gave.
    var boundAddresses: [SocketAddress] { addresses.withLock { $0 } }

    /// What is published now.
    var snapshot: Snapshot { shared.snapshots.snapshot }

    /// Connections that are open.
    var connectionCount: Int { loops.reduce(0) { $0 + $1.openChannelCount } }

    // MARK: Life

    /// Starts the loops' threads.
    func start() throws(SystemCallError) {
        loops.first?.acceptPolicy?.countOtherDescriptors()
        if let first = serverLoops.first { first.loop.submit { _ in first.beginProbing() } }
        for serverLoop in serverLoops where serverLoop.store != nil {
            serverLoop.loop.submit { _ in serverLoop.store?.start() }
        }
        for loop in loops {
            let thread = try SystemThread.start { loop.run() }
            let handle = ThreadHandle(thread)
            threads.withLock { $0.running.append(handle) }
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

    /// Takes no more connections, and closes those that are idle; requests in flight go on.
    func closeListenersAndIdle() {
        shared.advance(to: .closing)
        loopsToClose.wrappingAdd(loops.count, ordering: .relaxed)
        for (loop, serverLoop) in zip(loops, serverLoops) {
            loop.submit { [self] loop in
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
        for loop in loops { loop.stop() }
        let end = LoopClock.monotonic.now &+ Self.stopGrace
        while !loops.allSatisfy(\.hasEnded), LoopClock.monotonic.now < end { usleep(1000) }
        guard loops.allSatisfy(\.hasEnded) else {
            // A handler holds a loop and does not let go: the process must not wait for it. What that thread may still
            // touch stays.
            _ = Unmanaged.passRetained(self)
            return
        }
        let running = threads.withLock { threads in
            let running = threads.running
            threads.running = []
            return running
        }
        for handle in running { handle.join() }
    }

    /// Serves a connected socket as if it had been accepted.
    func adopt(_ descriptor: Int32, on index: Int = 0) {
        let serverLoop = serverLoops[index]
        serverLoop.loop.submit { loop in
            loop.adopt(descriptor: descriptor, address: .unix(path: ""), open: serverLoop.open)
        }
    }

    private func listen(on address: ListenAddress, _ settings: Settings) throws(SystemCallError) {
        var options = ListenerOptions(backlog: Int32(settings.backlog), fastOpenQueue: Int32(settings.fastOpenQueue))
        var wanted: SocketAddress
        switch address {
        case .unix(let path, let mode):
            options.unixMode = mode
            wanted = .unix(path: path)
        case .tcp(let host?, let port):
            guard let address = SocketAddress(host: host == "localhost" ? "127.0.0.1" : host, port: port) else {
                throw SystemCallError("bind", errno: EADDRNOTAVAIL, subject: "\(host):\(port)")
            }
            wanted = address
        case .tcp(nil, let port):
            options.isDualStack = true
            wanted = .ipv6(0, 0, port: port)
        }
        if case .unix(let path) = wanted {
            let (descriptor, bound) = try bindFallingBack(wanted, options, isFirst: true)
            try share(descriptor, address: bound, file: SocketFile(at: path))
            return
        }
        for (index, serverLoop) in serverLoops.enumerated() {
            let descriptor: Int32
            (descriptor, wanted) = try bindFallingBack(wanted, options, isFirst: index == 0)
            if index == 0 { addresses.withLock { [wanted] in $0.append(wanted) } }
            try serverLoop.loop.add(
                Listener(descriptor: descriptor, address: wanted, isShared: false, open: serverLoop.open)
            )
        }
    }

    /// Has all loops watch one socket, each by a descriptor of its own. The first loop's listener owns the file.
    private func share(_ descriptor: Int32, address: SocketAddress, file: SocketFile?) throws(SystemCallError) {
        addresses.withLock { $0.append(address) }
        for (index, serverLoop) in serverLoops.enumerated() {
            try serverLoop.loop.add(
                Listener(
                    descriptor: index == 0 ? descriptor : Listener.duplicate(descriptor, of: address),
                    address: address,
                    isShared: true,
                    socketFile: index == 0 ? file : nil,
                    open: serverLoop.open
                )
            )
        }
    }

    /// A host without IPv6 still gets "all addresses", as IPv4.
    private func bindFallingBack(
        _ address: SocketAddress,
        _ options: ListenerOptions,
        isFirst: Bool
    ) throws(SystemCallError) -> (Int32, SocketAddress) {
        do throws(SystemCallError) {
            if isFirst { try Listener.checkFree(address, options: options) }
            return try Listener.bind(address, options: options, reusesPort: true)
        } catch {
            guard options.isDualStack, error.errno == EAFNOSUPPORT || error.errno == EADDRNOTAVAIL,
                case .ipv6(_, _, let port) = address
            else { throw error }
            let address = SocketAddress.ipv4(0, port: port)
            if isFirst { try Listener.checkFree(address, options: options) }
            return try Listener.bind(address, options: options, reusesPort: true)
        }
    }
}
