// SPDX-License-Identifier: Apache-2.0
// The live guards of an app under test, whose windows a test ends: for our own tests.

import WeirEventLoop
package import WeirFlow

extension TestClient {
    /// Those of the present routes, in their order.
    package var guards: [RouteGuard] { server.shared.flow?.guards ?? [] }

    /// What the whole app does in a window in which `body` runs.
    package func serviceWindow(_ body: () async throws -> Void) async throws -> ServiceWindow? {
        var looks = ServiceLooks(server)
        _ = looks.look(now: 0)
        try await body()
        return looks.look(now: ServiceLooks.window)
    }
}
