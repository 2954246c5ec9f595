// SPDX-License-Identifier: Apache-2.0
// Where the limits of a route find their keys. A value, made with the route.

import WeirFlow

/// What a limit tells requests apart by, resolved for one route.
enum LimitKeySource: Sendable {
    case none
    /// The route's number, and what every replica calls it.
    case route(UInt64, [UInt8])
    case client
    case subject
    case host
    /// The field's name in lower case.
    case header([UInt8])
    case parameter(Int)

    /// Nil for a path parameter that the route does not have: then the limit is not for it.
    init?(_ key: WeirFlow.RateLimitKey, routeIndex: Int, storeName: String, parameterNames: [String]) {
        switch key {
        case .none: self = .none
        case .route: self = .route(UInt64(bitPattern: Int64(routeIndex)), Array(storeName.utf8))
        case .client: self = .client
        case .subject: self = .subject
        case .host: self = .host
        case .header(let name): self = .header(Array(name.utf8))
        case .parameter(let name):
            guard let index = parameterNames.firstIndex(of: name) else { return nil }
            self = .parameter(index)
        }
    }
}
