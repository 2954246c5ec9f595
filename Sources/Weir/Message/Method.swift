// SPDX-License-Identifier: Apache-2.0
// Request methods, as handlers and routes name them.

package import WeirHTTP
package import WeirRouting

/// The method of a request (RFC 9110 section 9).
///
/// A method that none of these names never reaches a handler: it is answered 501.
public enum Method: String, Sendable, CaseIterable {
    case get = "GET"
    case head = "HEAD"
    case post = "POST"
    case put = "PUT"
    case delete = "DELETE"
    case connect = "CONNECT"
    case options = "OPTIONS"
    case trace = "TRACE"
    case patch = "PATCH"

    /// Nil for a method that only its own bytes name.
    package init?(_ method: HTTPMethod) {
        switch method {
        case .get: self = .get
        case .head: self = .head
        case .post: self = .post
        case .put: self = .put
        case .delete: self = .delete
        case .connect: self = .connect
        case .options: self = .options
        case .trace: self = .trace
        case .patch: self = .patch
        case .other: return nil
        }
    }

    /// The route table's numbering, which is the parser's.
    package var set: MethodSet {
        switch self {
        case .get: .get
        case .head: .head
        case .post: .post
        case .put: .put
        case .delete: .delete
        case .connect: .connect
        case .options: .options
        case .trace: .trace
        case .patch: .patch
        }
    }
}
