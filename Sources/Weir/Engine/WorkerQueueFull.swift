// SPDX-License-Identifier: Apache-2.0
// What a request is told when no worker has room for it.

import WeirEventLoop
import WeirFlow

/// The workers' queue is full (`WEIR_WORKERS_QUEUE`): 503, counted as `queue_full`.
struct WorkerQueueFull: Error {
    private let retryAfterSeconds: Int

    /// - Parameter workers: those that have no room.
    init(_ workers: WorkerPool) {
        retryAfterSeconds = RetryAfter.seconds(of: workers.drainTime)
    }

    var answer: HTTPError {
        HTTPError(
            .serviceUnavailable,
            "the worker queue is full",
            headers: ["Retry-After": "\(retryAfterSeconds)"]
        )
    }
}

/// What `Retry-After` says.
enum RetryAfter {
    /// A time in whole seconds, from 1, which is also where nothing was measured, to the most of admission.
    static func seconds(of time: Nanoseconds) -> Int {
        let most = Nanoseconds(AdmissionPool.retryAfterSecondsMax)
        return max(1, Int(min(time / 1_000_000_000 + (time % 1_000_000_000 == 0 ? 0 : 1), most)))
    }
}
