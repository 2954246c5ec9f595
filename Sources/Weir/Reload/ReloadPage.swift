// SPDX-License-Identifier: Apache-2.0
// POST /reload: reads the configuration anew, and answers what came of it.

import WeirEventLoop

/// A reload as a page.
struct ReloadPage {
    let reloader: Reloader
    let access: AdminAccess

    /// - Throws: `HTTPError` for those who may not, and where the engine ends meanwhile.
    func answer(_ request: Request) async throws -> Response {
        guard access.permits(request) else {
            throw HTTPError(.forbidden, "a reload needs the admin token, or where none is set a program on loopback")
        }
        guard let outcome = await reloader.reload() else { throw HTTPError(.serviceUnavailable, "the service ends") }
        return outcome.response
    }
}
