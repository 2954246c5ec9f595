// SPDX-License-Identifier: Apache-2.0
// A query that waits for a change of the registry, on its connection's loop: woken by the change, a timer, or the
// client's end.

import WeirEventLoop
import WeirUpstream

/// One wait. `@unchecked Sendable`: confined to the loop's thread.
final class BlockedQuery: @unchecked Sendable {
    private let loop: EventLoop
    private var waiting: UnsafeContinuation<Void, Never>?
    private var isWoken = false
    private lazy var timer = LoopTimer { [unowned self] _ in wake() }

    private init(loop: EventLoop) {
        self.loop = loop
    }

    /// Returns when `scope` has changed since `index`, or `time` is over. On the loop's thread.
    ///
    /// - Throws: `ConsulError` where too many wait; `CancellationError` when the client has gone.
    static func wait(
        for registry: HealthRegistry,
        _ scope: RegistryScope,
        after index: UInt64,
        atMost time: Nanoseconds,
        on loop: EventLoop
    ) async throws {
        let query = BlockedQuery(loop: loop)
        let waiter: HealthRegistry.WaiterID?
        do throws(HealthRegistryError) {
            waiter = try registry.wait(for: scope, after: index) { loop.submit { _ in query.wake() } }
        } catch {
            throw ConsulError(error)
        }
        guard let waiter else { return }
        await withTaskCancellationHandler {
            await withUnsafeContinuation { query.start(until: loop.now &+ time, $0) }
        } onCancel: {
            loop.submit { _ in query.wake() }
        }
        registry.stopWaiting(waiter)
        try Task.checkCancellation()
    }

    private func start(until instant: Nanoseconds, _ continuation: UnsafeContinuation<Void, Never>) {
        // The cancellation may have come first.
        guard !isWoken else { return continuation.resume() }
        waiting = continuation
        loop.schedule(timer, at: instant)
    }

    private func wake() {
        isWoken = true
        guard let continuation = waiting else { return }
        waiting = nil
        loop.cancel(timer)
        continuation.resume()
    }
}
