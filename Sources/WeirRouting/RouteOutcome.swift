// SPDX-License-Identifier: Apache-2.0
// What a lookup came to.

/// What ``RouteTable/lookup(method:host:path:match:scratch:)`` came to; the particulars are in the ``RouteMatch``.
package enum RouteOutcome: Equatable, Sendable {
    /// `match.route` answers the request.
    case found
    /// An OPTIONS request for a path that no route answers OPTIONS for: reply 204 with `Allow: match.allowed`.
    case automaticOptions
    /// The path has routes, but none for this method: reply 405 with `Allow: match.allowed`.
    case methodNotAllowed
    /// No route for the path: reply 404.
    case notFound
    /// The path cannot be read safely: reply 400.
    case invalidPath(PathFault)
}
