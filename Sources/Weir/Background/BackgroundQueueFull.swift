// SPDX-License-Identifier: Apache-2.0
// What a handler is told when the queue for background work has no room.

/// The queue for background work is full (`WEIR_BACKGROUND_QUEUE`), or the app is stopping.
///
/// A handler that does not catch it answers 503 with `Retry-After`, counted as `queue_full`.
public struct BackgroundQueueFull: Error, Sendable {
    let retryAfterSeconds: Int

    var answer: HTTPError {
        HTTPError(
            .serviceUnavailable,
            "the queue for background work is full",
            headers: ["Retry-After": "\(retryAfterSeconds)"]
        )
    }
}
