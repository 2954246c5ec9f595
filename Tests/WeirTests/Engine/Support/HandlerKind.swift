// SPDX-License-Identifier: Apache-2.0
// The four ways in which a handler can run, as a table for tests.

import Weir

/// How a route's handler is declared.
enum HandlerKind: CaseIterable, Sendable {
    case loop
    case workers
    case async
    case asyncOnWorkers

    static let synchronous: [HandlerKind] = [.loop, .workers]
    static let asynchronous: [HandlerKind] = [.async, .asyncOnWorkers]

    var placement: Placement {
        switch self {
        case .loop, .async: .loop
        case .workers, .asyncOnWorkers: .workers
        }
    }
}

extension RouteCollection {
    /// Declares a route of this kind; an asynchronous one suspends once before `handler` runs.
    func handle(
        _ kind: HandlerKind,
        _ pattern: String,
        _ options: [RouteOption] = [],
        method: Method = .get,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        switch kind {
        case .loop, .workers:
            add(RouteDeclaration(method, pattern, on: kind.placement, options, use: handler))
        case .async, .asyncOnWorkers:
            let suspending: @Sendable (Request, RequestContext) async throws -> Response = { request, context in
                await Task.yield()
                return try handler(request, context)
            }
            add(RouteDeclaration(method, pattern, on: kind.placement, options, use: suspending))
        }
    }

    /// Declares a route of this kind whose handler gets the collected body.
    func handleBody(
        _ kind: HandlerKind,
        _ pattern: String,
        _ options: [RouteOption] = [],
        method: Method = .post,
        upTo limit: ByteCount? = nil,
        use handler: @escaping @Sendable ([UInt8], Request) throws -> Response
    ) {
        switch kind {
        case .loop, .workers:
            let whole: @Sendable (Request, RequestContext) throws -> Response = { request, _ in
                try handler(try request.body.collect(upTo: limit), request)
            }
            add(RouteDeclaration(method, pattern, on: kind.placement, options, use: whole))
        case .async, .asyncOnWorkers:
            let waiting: @Sendable (Request, RequestContext) async throws -> Response = { request, _ in
                try handler(try await request.body.collect(upTo: limit), request)
            }
            add(RouteDeclaration(method, pattern, on: kind.placement, options, use: waiting))
        }
    }
}
