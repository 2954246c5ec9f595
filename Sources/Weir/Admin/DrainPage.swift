// SPDX-License-Identifier: Apache-2.0
// /drain: begins the drain as the stop signal would, and answers when nothing is in flight any more. The process goes on
// until the signal comes: `preStop` hooks end a container's neighbours in order.

import WeirEventLoop

/// The drain as a page.
struct DrainPage {
    let drain: Drain
    let access: AdminAccess

    /// - Throws: `HTTPError` for those who may not, and for HEAD, which changes nothing (RFC 9110 section 9.2.1). GET
    ///   does here, because it is all that a hook of Kubernetes can send.
    func answer(_ request: Request) async throws -> Response {
        guard request.method != .head else { throw HTTPError(.methodNotAllowed, headers: ["Allow": "GET, POST"]) }
        guard access.permitsDrain(request) else {
            throw HTTPError(.forbidden, "a drain is for programs on loopback, and for requests with the admin token")
        }
        let rest = await drain.wait()
        if rest.isNothing { return .text("drained\n") }
        let work = rest.backgroundWork > 0 ? ", background work left: \(rest.backgroundWork)" : ""
        return .text("drain timed out, connections left: \(rest.connections)\(work)\n", status: .serviceUnavailable)
    }
}
