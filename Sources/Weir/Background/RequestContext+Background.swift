// SPDX-License-Identifier: Apache-2.0
// How a handler leaves work behind.

import Synchronization

extension RequestContext {
    /// Leaves work behind that nobody who waits for the answer need wait for.
    ///
    /// It begins when the request is over, however it ended, and its handler has returned. It is a task on the worker
    /// pool, so it may block, as few others do at once (`WEIR_BACKGROUND_TASKS`); up to `WEIR_BACKGROUND_QUEUE` have not
    /// begun. Neither the request's deadline nor its cancellation touches it. The drain waits for it until
    /// `WEIR_DRAIN_TIMEOUT`; then it is cancelled or never begins, and counts as dropped in
    /// `weir_background_total`. What it throws is logged with the route and the request's id.
    ///
    /// Let `work` capture what it needs of the request, and not the request: its memory could not be used again.
    /// - Throws: ``BackgroundQueueFull``, and then `work` never begins. Not caught, it answers 503.
    public func background(_ work: @escaping @Sendable () async throws -> Void) throws(BackgroundQueueFull) {
        let queue = exchange.owner.server.background
        guard queue.promise() else {
            throw BackgroundQueueFull(retryAfterSeconds: RetryAfter.seconds(of: queue.drainTime))
        }
        let work = BackgroundWork(route: exchange.route?.pattern ?? "", requestID: requestID, run: work)
        exchange.extras.withLock { extras in
            exchange.noteExtras()
            extras.background.append(work)
        }
    }
}
