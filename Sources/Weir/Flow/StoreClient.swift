// SPDX-License-Identifier: Apache-2.0
// A loop's side of the store: whose limits it asks for, who waits, whom it tells. On the loop's thread.

import Logging
import Synchronization
import WeirEventLoop
import WeirFlow

/// One loop's store, and the memory in which it is asked.
///
/// `@unchecked Sendable`: made on one thread, then touched by the loop's alone.
final class StoreClient: @unchecked Sendable {
    private let store: LoopStore
    /// What the store counts in.
    private var limits: [StoreLimit]
    private let items: UnsafeMutablePointer<StoreItem>
    private let keys: UnsafeMutableRawBufferPointer

    init(_ store: LoopStore, _ limits: [StoreLimit]) {
        self.store = store
        self.limits = limits
        items = .allocate(capacity: RouteLimits.limitsMax)
        keys = .allocate(byteCount: RouteLimits.limitsMax * Exchange.hostBytesMax, alignment: 16)
    }

    deinit {
        items.deallocate()
        keys.deallocate()
    }

    /// Routes of another snapshot name these limits.
    func take(_ limits: [StoreLimit]) {
        guard limits != self.limits else { return }
        self.limits = limits
        store.replace(store.context, limits)
    }

    func start() { store.start(store.context) }

    func stop() { store.stop(store.context) }

    /// Asks for all of the route's limits at once.
    func check(_ exchange: Exchange, _ limits: RouteLimits) -> StoreCheck {
        for index in 0..<limits.count {
            let start = index * Exchange.hostBytesMax
            let scratch = UnsafeMutableRawBufferPointer(rebasing: keys[start..<(start + Exchange.hostBytesMax)])
            (items + index).initialize(to: limits.storeItem(index, exchange, in: scratch))
        }
        return store.check(
            store.context,
            UnsafeBufferPointer(start: items, count: limits.count),
            exchange.limitDecisions,
            Unmanaged.passUnretained(exchange).toOpaque()
        )
    }

    func cancel(_ ticket: StoreTicket) { store.cancel(store.context, ticket) }
}

extension ServerLoop {
    /// The request no longer waits for the store: its client is gone, or its deadline has passed.
    func leaveStore(_ exchange: Exchange) {
        guard exchange.slot == .checking else { return }
        exchange.slot = .none
        store?.cancel(exchange.storeTicket)
    }

    /// What a store calls for a request that waited.
    static let answered: StorePlan.Answered = { taker, answer, decisions in
        // Its lease keeps an exchange while it waits; whoever ends that calls `leaveStore` before.
        Unmanaged<Exchange>.fromOpaque(taker)._withUnsafeGuaranteedRef { exchange in
            exchange.slot = .none
            exchange.withConnection { $0.resumeChecked(exchange, answer, decisions) }
        }
    }
}

/// Logs whether the store can be asked: once for all loops, and again when that changes.
final class StoreLog: Sendable {
    private let logger: Logger
    private let state: Mutex<State>

    private struct State {
        /// The loops that cannot ask it.
        var away: Set<Int>
        /// Why not, as it was logged last.
        var problem: String?
    }

    init(_ logger: Logger, loops: Int) {
        self.logger = logger
        state = Mutex(State(away: Set(0..<loops)))
    }

    func note(_ report: StoreReport, loop: Int) {
        switch report {
        case .away(let problem):
            let isNew = state.withLock { state in
                state.away.insert(loop)
                defer { state.problem = problem }
                return state.problem != problem
            }
            guard isNew else { return }
            logger.warning(
                "limits of the cluster are counted by this replica's share: the store is away",
                metadata: ["problem": .string(problem)]
            )
        case .ready:
            let isLast = state.withLock { state in
                let isLast = state.away.remove(loop) != nil && state.away.isEmpty
                if isLast { state.problem = nil }
                return isLast
            }
            if isLast { logger.notice("limits of the cluster are counted in the store") }
        }
    }
}
