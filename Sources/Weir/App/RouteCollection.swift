// SPDX-License-Identifier: Apache-2.0
// Where routes are declared: an app, and groups within it.

/// Something that routes can be declared on.
///
/// A pattern begins with `/`. A segment is static (`/orders`), a parameter (`:id`), or a catch-all in the last place
/// (`*path`). Static segments win over parameters, those over catch-alls. HEAD is answered by the GET route, OPTIONS
/// with what there is, unless a route says otherwise.
///
/// A synchronous handler runs on the worker pool, an asynchronous one in a task of the event loop; `on:` says it
/// outright.
///
/// A mistake in a pattern, or two routes for the same requests, is found when the route is declared. The first one
/// stops ``App/run()`` with both patterns and the lines that declared them; ``App/validate()`` asks for it before.
/// `file` and `line` say where that is: leave them out, unless you declare routes for somebody else.
public protocol RouteCollection {
    /// Declares a route; the methods below are short forms of it.
    func add(_ route: RouteDeclaration)
}

/// A route as it was declared.
public struct RouteDeclaration: Sendable {
    /// Nil for every method.
    let method: Method?
    let pattern: String
    let options: [RouteOption]
    let handler: Handler
    let location: SourceLocation

    /// A route with a synchronous handler.
    public init(
        _ method: Method,
        _ pattern: String,
        on placement: Placement = .workers,
        _ options: [RouteOption] = [],
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        self.method = method
        self.pattern = pattern
        self.options = options
        location = SourceLocation(file: file, line: line)
        self.handler = placement == .loop ? .loop(handler) : .workers(handler)
    }

    /// A route with an asynchronous handler.
    public init(
        _ method: Method,
        _ pattern: String,
        on placement: Placement = .loop,
        _ options: [RouteOption] = [],
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        self.method = method
        self.pattern = pattern
        self.options = options
        location = SourceLocation(file: file, line: line)
        self.handler = placement == .loop ? .async(handler) : .asyncOnWorkers(handler)
    }
}

extension RouteCollection {
    /// Declares a route for `method` with a synchronous handler.
    public func on(
        _ method: Method,
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .workers,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        add(RouteDeclaration(method, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for `method` with an asynchronous handler.
    public func on(
        _ method: Method,
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .loop,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        add(RouteDeclaration(method, pattern, on: placement, options, file: file, line: line, use: handler))
    }
}
