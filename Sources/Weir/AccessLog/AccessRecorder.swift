// SPDX-License-Identifier: Apache-2.0
// The loop's end of the access log: writes a finished request into the loop's ring. Confined to the loop's thread.

import Synchronization
import WeirEventLoop

/// Records the requests of one loop.
final class AccessRecorder: Sendable {
    let ring: AccessRing
    private let routes: IndexedNames

    init(ring: AccessRing, routes: IndexedNames) {
        self.ring = ring
        self.routes = routes
    }

    /// Writes a request down, or counts it as dropped. Neither waits nor allocates.
    func record(_ exchange: Exchange, nanoseconds: Nanoseconds) {
        let id = exchange.givenRequestID
        let idByteCount = id?.count ?? 0
        guard let place = ring.reserve(AccessRecord.byteCount &+ idByteCount) else { return }
        // In bounds: room for a record, and for the id behind it, was reserved.
        place.storeBytes(
            of: AccessRecord(
                exchange,
                route: routeIndex(exchange),
                tag: exchange.withTags { $0.logIndex($1, in: routes) } ?? -1,
                nanoseconds: nanoseconds,
                idByteCount: idByteCount
            ),
            as: AccessRecord.self
        )
        if let id, let base = id.baseAddress {
            (place + AccessRecord.byteCount).copyMemory(from: base, byteCount: idByteCount)
        }
        ring.commit()
    }

    @inline(__always)
    private func routeIndex(_ exchange: Exchange) -> Int32 {
        // Relaxed: the log's thread learns the name from `routes`, under its mutex.
        let index = exchange.route?.logIndex.load(ordering: .relaxed) ?? -1
        return index == Route.notLogged ? nameRoute(exchange) : index
    }

    /// Once for each route and loop at most.
    @inline(never)
    private func nameRoute(_ exchange: Exchange) -> Int32 {
        guard let route = exchange.route else { return -1 }
        let index = Int32(routes.index(of: route.pattern))
        route.logIndex.store(index, ordering: .relaxed)
        return index
    }
}

extension ServerLoop {
    /// Writes a request down whose connection ends while it is in progress.
    func recordCut(_ exchange: Exchange) {
        guard let accessLog else { return }
        if exchange.output.isPending { exchange.status = 0 }
        if exchange.reason == .none, !exchange.output.isDone { exchange.reason = .aborted }
        accessLog.record(exchange, nanoseconds: loop.clock.now &- exchange.startedAt)
    }
}
