// SPDX-License-Identifier: Apache-2.0
// A long-lived task of a loop that answers one request after another: resuming it costs no allocation, where a task
// per request costs three to four.

/// One slot for an asynchronous handler. Confined to its loop's thread (`@unchecked Sendable` so that its task can
/// hold it).
///
/// A task that was cancelled stays cancelled, so it ends after that request instead of taking the next.
final class HandlerTask: @unchecked Sendable {
    private let owner: ServerLoop
    private var parked: UnsafeContinuation<Void, Never>?
    private var task: Task<Void, Never>?
    private var isCancelled = false
    /// Where it stands among its loop's tasks; nil when it has left them.
    var place: Int?
    /// The request that it answers.
    private(set) var exchange: Exchange?
    /// The route of the request that it answers or answered last.
    private(set) var lastRoute: Route?
    /// Identifies the task's jobs, for the report of a handler that holds the loop.
    private(set) var taskIdentity: UInt = 0

    init(owner: ServerLoop) {
        self.owner = owner
    }

    /// Answers `exchange`; its first step runs in this turn of the loop.
    func begin(_ exchange: Exchange) {
        self.exchange = exchange
        exchange.handlerTask = self
        lastRoute = exchange.route
        if let parked {
            self.parked = nil
            parked.resume()
        } else {
            task = Task(executorPreference: owner.loop) { await self.run() }
        }
    }

    func cancel() {
        isCancelled = true
        task?.cancel()
    }

    /// Ends a task that waits for work.
    func end() {
        task = nil
        parked?.resume()
        parked = nil
    }

    private func run() async {
        taskIdentity = withUnsafeCurrentTask { $0.map { unsafeBitCast($0, to: UInt.self) } ?? 0 }
        while exchange != nil {
            await serve()
            if let exchange {
                exchange.handlerTask = nil
                self.exchange = nil
                owner.handlerEnded(exchange)
                owner.retire(exchange)
            }
            if isCancelled { break }
            await withUnsafeContinuation { continuation in
                parked = continuation
                owner.park(self)
            }
        }
        task = nil
        owner.remove(self)
    }

    /// A function of its own, so that nothing in this task's frame holds the exchange when it is retired.
    private func serve() async {
        guard let exchange else { return }
        if let response = exchange.streamed {
            exchange.streamed = nil
            await owner.deliver(response, for: exchange)
            return
        }
        guard case .async(let handler) = exchange.route?.handler else { return }
        do {
            let response = try await exchange.answer(handler)
            await owner.deliver(response, for: exchange)
        } catch {
            owner.fail(exchange, error)
        }
    }
}
