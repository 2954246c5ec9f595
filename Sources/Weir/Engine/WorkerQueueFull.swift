// SPDX-License-Identifier: Apache-2.0
// What a request is told when no worker has room for it.

/// The workers' queue is full (`WEIR_WORKERS_QUEUE`): 503, counted as `queue_full`.
struct WorkerQueueFull: Error {
    static var answer: HTTPError {
        HTTPError(.serviceUnavailable, "the worker queue is full", headers: ["Retry-After": "1"])
    }
}
