// SPDX-License-Identifier: Apache-2.0
// A store that counts limits for all replicas, as the engine sees it: a table of functions, so that whoever needs no
// store links none.

package import WeirEventLoop
package import WeirFlow

/// Where the limits of a cluster are counted; see ``App/countLimits(in:)``.
public struct LimitStore: Sendable {
    /// Why a text names no such store; nil where it does.
    package var fault: @Sendable (_ place: String) -> String?
    /// Opens the store for a loop. Nothing is asked before `LoopStore.start`.
    package var open: @Sendable (StorePlan, EventLoop) -> LoopStore

    package init(
        fault: @escaping @Sendable (_ place: String) -> String?,
        open: @escaping @Sendable (StorePlan, EventLoop) -> LoopStore
    ) {
        self.fault = fault
        self.open = open
    }
}

/// What a loop opens its store with.
package struct StorePlan: Sendable {
    package typealias Answered = @Sendable (LoopStore.Taker, StoreAnswer, UnsafePointer<LimitDecision>) -> Void

    /// Where it is: a text that `LimitStore.fault` has nothing against.
    package let place: String
    /// What `StoreItem.limit` counts in.
    package let limits: [StoreLimit]
    /// The longest a check waits for its answer.
    package let budget: Nanoseconds
    /// Tells a taker that waited and did not cancel what came of its check, exactly once, and what each limit says; the
    /// decisions are valid during the call. On the loop's thread.
    package let answered: Answered
    /// Says whether the store can be asked; once for each change. On the loop's thread.
    package let report: @Sendable (StoreReport) -> Void
}

/// Whether a store can be asked.
package enum StoreReport: Sendable, Equatable {
    case ready
    /// Why not, in one line. It is tried again and again.
    case away(String)
}

/// One loop's way to a store. Everything happens on its thread.
package struct LoopStore {
    package typealias Context = UnsafeMutableRawPointer
    /// Whoever waits for an answer.
    package typealias Taker = UnsafeMutableRawPointer

    /// Asks for all limits at once. Decisions are filled in where the answer is here already; the last argument is told
    /// later where it is not.
    package typealias Check = (
        Context, UnsafeBufferPointer<StoreItem>, UnsafeMutablePointer<LimitDecision>, Taker
    ) -> StoreCheck

    /// What the functions are called with; kept by `owner`.
    let context: Context
    private let owner: AnyObject
    let check: Check
    /// Whoever waits for this answer does so no more.
    let cancel: (Context, StoreTicket) -> Void
    /// Counts in these limits from now on; what is on its way is for those before. None of a number is gone.
    let replace: (Context, [StoreLimit]) -> Void
    let start: (Context) -> Void
    /// Ends it, before its loop goes.
    let stop: (Context) -> Void

    /// A table for `owner`; the functions capture nothing and find it in their first argument.
    package init<Owner: AnyObject>(
        _ owner: Owner,
        check: @escaping Check,
        cancel: @escaping (Context, StoreTicket) -> Void,
        replace: @escaping (Context, [StoreLimit]) -> Void,
        start: @escaping (Context) -> Void,
        stop: @escaping (Context) -> Void
    ) {
        context = Unmanaged.passUnretained(owner).toOpaque()
        self.owner = owner
        self.check = check
        self.cancel = cancel
        self.replace = replace
        self.start = start
        self.stop = stop
    }
}
