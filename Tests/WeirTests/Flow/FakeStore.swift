// SPDX-License-Identifier: Apache-2.0
// A store of limits that says what the test wants, and keeps what it was asked.

import Synchronization
import Weir
import WeirEventLoop
import WeirFlow

/// For apps with one loop.
final class FakeStore: Sendable {
    struct Asked: Sendable, Equatable {
        var limits: [Int]
        var keys: [String?]
    }

    private struct State {
        /// What is answered at once; nil has who asks wait.
        var answer: StoreAnswer?
        var decision = LimitDecision()
        var limits: [StoreLimit] = []
        var asked: [Asked] = []
        /// Who waits, by ticket.
        var waiting: [UInt64: UInt] = [:]
        var cancelledCount = 0
        var isStarted = false
        var isStopped = false
        var plan: StorePlan?
        var loop: EventLoop?
    }

    private let state: Mutex<State>

    init(_ answer: StoreAnswer? = .allowed, decision: LimitDecision = LimitDecision(limit: 5, remaining: 4)) {
        state = Mutex(State(answer: answer, decision: decision))
    }

    var store: LimitStore {
        LimitStore(
            fault: { $0.hasPrefix("redis://") ? nil : "no place of this store" },
            open: { [self] plan, loop in
                state.withLock {
                    $0.plan = plan
                    $0.loop = loop
                    $0.limits = plan.limits
                }
                return LoopStore(self)
            }
        )
    }

    var limits: [StoreLimit] { state.withLock { $0.limits } }
    var asked: [Asked] { state.withLock { $0.asked } }
    var waitingCount: Int { state.withLock { $0.waiting.count } }
    var cancelledCount: Int { state.withLock { $0.cancelledCount } }
    var isStarted: Bool { state.withLock { $0.isStarted } }
    var isStopped: Bool { state.withLock { $0.isStopped } }

    /// From now on this is answered at once.
    func answer(_ answer: StoreAnswer?) { state.withLock { $0.answer = answer } }

    func report(_ report: StoreReport) {
        let (plan, loop) = state.withLock { ($0.plan, $0.loop) }
        loop?.submit { _ in plan?.report(report) }
    }

    /// Tells all who wait, on their loop.
    func tell(_ answer: StoreAnswer, _ decision: LimitDecision = LimitDecision(limit: 5, remaining: 3)) {
        state.withLock { $0.loop }?.submit { [self] _ in
            let (plan, waiting) = state.withLock { state in
                defer { state.waiting = [:] }
                return (state.plan, state.waiting)
            }
            let decisions = [LimitDecision](repeating: decision, count: StoreLimit.perRequestMax)
            for (_, taker) in waiting.sorted(by: { $0.key < $1.key }) {
                guard let taker = UnsafeMutableRawPointer(bitPattern: taker) else { continue }
                decisions.withUnsafeBufferPointer { plan?.answered(taker, answer, $0.baseAddress!) }
            }
        }
    }

    fileprivate func check(
        _ items: UnsafeBufferPointer<StoreItem>,
        _ decisions: UnsafeMutablePointer<LimitDecision>,
        _ taker: LoopStore.Taker
    ) -> StoreCheck {
        let keys = items.map { $0.key.map { String(decoding: $0, as: UTF8.self) } }
        return state.withLock { state in
            state.asked.append(Asked(limits: items.map(\.limit), keys: keys))
            if let answer = state.answer {
                for index in items.indices { decisions[index] = state.decision }
                return .answered(answer)
            }
            let number = UInt64(state.asked.count)
            state.waiting[number] = UInt(bitPattern: taker)
            return .waiting(StoreTicket(number: number))
        }
    }

    fileprivate func cancel(_ ticket: StoreTicket) {
        state.withLock { state in
            if state.waiting.removeValue(forKey: ticket.number) != nil { state.cancelledCount += 1 }
        }
    }

    fileprivate func replace(_ limits: [StoreLimit]) { state.withLock { $0.limits = limits } }
    fileprivate func start() { state.withLock { $0.isStarted = true } }
    fileprivate func stop() { state.withLock { $0.isStopped = true } }
}

extension LoopStore {
    fileprivate init(_ fake: FakeStore) {
        func of(_ context: Context) -> FakeStore { Unmanaged<FakeStore>.fromOpaque(context).takeUnretainedValue() }
        self.init(
            fake,
            check: { context, items, decisions, taker in of(context).check(items, decisions, taker) },
            cancel: { context, ticket in of(context).cancel(ticket) },
            replace: { context, limits in of(context).replace(limits) },
            start: { of($0).start() },
            stop: { of($0).stop() }
        )
    }
}
