// SPDX-License-Identifier: Apache-2.0
// The short forms of `on` for the common methods, each for synchronous and asynchronous handlers.

extension RouteCollection {
    /// Declares a route for GET with a synchronous handler.
    public func get(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .workers,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        add(RouteDeclaration(.get, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for GET with an asynchronous handler.
    public func get(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .loop,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        add(RouteDeclaration(.get, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for POST with a synchronous handler.
    public func post(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .workers,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        add(RouteDeclaration(.post, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for POST with an asynchronous handler.
    public func post(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .loop,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        add(RouteDeclaration(.post, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for PUT with a synchronous handler.
    public func put(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .workers,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        add(RouteDeclaration(.put, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for PUT with an asynchronous handler.
    public func put(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .loop,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        add(RouteDeclaration(.put, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for PATCH with a synchronous handler.
    public func patch(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .workers,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        add(RouteDeclaration(.patch, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for PATCH with an asynchronous handler.
    public func patch(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .loop,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        add(RouteDeclaration(.patch, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for DELETE with a synchronous handler.
    public func delete(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .workers,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) throws -> Response
    ) {
        add(RouteDeclaration(.delete, pattern, on: placement, options, file: file, line: line, use: handler))
    }

    /// Declares a route for DELETE with an asynchronous handler.
    public func delete(
        _ pattern: String,
        _ options: RouteOption...,
        on placement: Placement = .loop,
        file: StaticString = #fileID,
        line: UInt = #line,
        use handler: @escaping @Sendable (Request, RequestContext) async throws -> Response
    ) {
        add(RouteDeclaration(.delete, pattern, on: placement, options, file: file, line: line, use: handler))
    }
}
