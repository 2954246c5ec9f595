// SPDX-License-Identifier: Apache-2.0
// What the loops of one server share: constants, the published snapshot, the workers, and how far the drain is.

import Logging
import Synchronization
import WeirEventLoop

/// The part of a server that its loops see.
final class ServerShared: Sendable {
    /// Where the server is in its life; it only goes forward.
    enum Stage: UInt8 {
        case serving
        /// New connections are taken; every answer ends its connection.
        case draining
        /// No new connections; idle ones are closed.
        case closing
    }

    let configuration: ServerConfiguration
    let logger: Logger
    let workers: WorkerPool
    /// Work that requests left behind.
    let background: BackgroundQueue
    let snapshots: SnapshotCell
    /// Bodies that still flow after their deadline.
    let streams: Quota
    let tunnels: Quota
    let accessLog: AccessLog?
    /// The limits and pools of its routes; nil for a server that neither limits nor queues.
    let flow: FlowControl?
    /// Opens a loop's way to the store of limits; nil for none.
    let openStore: (@Sendable (EventLoop) -> LoopStore)?
    /// Nil for a server without certificates.
    let tls: TLSServer?
    /// It is the admin port's.
    let isAdmin: Bool
    /// Relaxed: it publishes nothing, and has only to be seen soon.
    private let stage = Atomic<UInt8>(Stage.serving.rawValue)

    init(
        configuration: ServerConfiguration,
        logger: Logger,
        workers: WorkerPool,
        background: BackgroundQueue,
        snapshots: SnapshotCell,
        streams: Quota,
        tunnels: Quota,
        accessLog: AccessLog?,
        flow: FlowControl?,
        openStore: (@Sendable (EventLoop) -> LoopStore)?,
        tls: TLSServer?,
        isAdmin: Bool
    ) {
        self.configuration = configuration
        self.logger = logger
        self.workers = workers
        self.background = background
        self.snapshots = snapshots
        self.streams = streams
        self.tunnels = tunnels
        self.accessLog = accessLog
        self.flow = flow
        self.openStore = openStore
        self.tls = tls
        self.isAdmin = isAdmin
    }

    func advance(to next: Stage) {
        stage.max(next.rawValue, ordering: .relaxed)
    }

    /// Whether every answer ends its connection.
    var isDraining: Bool { stage.load(ordering: .relaxed) != Stage.serving.rawValue }

    /// Whether connections are closed as soon as they wait for nothing.
    var isClosingIdle: Bool { stage.load(ordering: .relaxed) == Stage.closing.rawValue }

    /// Queues a request for a worker; false when the queue is full.
    func submit(_ exchange: Exchange) -> Bool {
        exchange.leftTheCodec = true
        exchange.isOnWorker = true
        let retained = Unmanaged.passRetained(exchange)
        if workers.submit(ServerLoop.runOnWorker, retained.toOpaque()) { return true }
        exchange.isOnWorker = false
        retained.release()
        return false
    }

    /// Queues the first step of a file; false when the queue is full.
    func submit(_ sender: FileSender) -> Bool {
        let retained = Unmanaged.passRetained(sender)
        if workers.submit(FileSender.step, retained.toOpaque()) { return true }
        retained.release()
        return false
    }

    func submitBegun(_ sender: FileSender) {
        workers.submitBegun(FileSender.step, Unmanaged.passRetained(sender).toOpaque())
    }

    var hasRoomForWork: Bool { workers.hasRoom }
}
