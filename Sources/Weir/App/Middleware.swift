// SPDX-License-Identifier: Apache-2.0
// What wraps handlers: composed once, when the app starts.

import Synchronization
import WeirEventLoop

/// The rest of the way to a handler: further middleware, then the handler itself.
public typealias NextHandler = @Sendable (Request, RequestContext) async throws -> Response

/// Something that is done around every handler of an app or a group.
///
/// A route that middleware wraps becomes asynchronous: the middleware runs in a task of the event loop (of the worker
/// pool, where an asynchronous handler was placed there), and a synchronous handler behind it still runs where it was
/// declared to.
public protocol Middleware: Sendable {
    /// Handles a request: answer it, or call `next` and work on its response.
    func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response
}

/// Puts the request's id into the response, so that a client can name it: `X-Request-Id`.
public struct RequestID: Middleware {
    public init() {}

    public func handle(_ request: Request, _ context: RequestContext, next: NextHandler) async throws -> Response {
        var response = try await next(request, context)
        response.headers["X-Request-Id"] = context.requestID
        return response
    }
}

extension Handler {
    /// This handler inside `middleware`, the first outermost.
    func wrapped(in middleware: [any Middleware]) -> Handler {
        guard !middleware.isEmpty else { return self }
        var next: NextHandler
        var runsOnWorkers = false
        switch self {
        case .loop(let handler):
            next = { request, context in
                try await collectBody(of: request)
                return try handler(request, context)
            }
        case .workers(let handler):
            next = { request, context in
                try await collectBody(of: request)
                return try await onWorkers(handler, request, context)
            }
        case .async(let handler): next = handler
        case .asyncOnWorkers(let handler):
            next = handler
            runsOnWorkers = true
        case .proxy(let upstream):
            // What middleware sees and may add to is a response whose head and body are still to come.
            next = { _, _ in Response(status: .ok, body: .upstream(upstream)) }
        }
        for layer in middleware.reversed() {
            let inner = next
            next = { request, context in try await layer.handle(request, context, next: inner) }
        }
        return runsOnWorkers ? .asyncOnWorkers(next) : .async(next)
    }
}

/// A synchronous handler starts when the body is whole, behind middleware too.
private func collectBody(of request: Request) async throws {
    let exchange = request.exchange
    let body = try await request.body.collect()
    exchange.parts.pointee.collected = body
    exchange.isBodyWhole = true
}

/// Runs a synchronous handler on the worker pool while the calling task waits.
private func onWorkers(
    _ handler: @escaping Handler.Synchronous,
    _ request: Request,
    _ context: RequestContext
) async throws -> Response {
    let workers = request.exchange.owner.server.workers
    guard workers.hasRoom else { throw WorkerQueueFull(workers) }
    return try await Task(executorPreference: workers) {
        if request.exchange.isAbandoned.load(ordering: .relaxed) { throw CancellationError() }
        return try handler(request, context)
    }.value
}
