// SPDX-License-Identifier: Apache-2.0
// The live guards of an app under test, whose windows a test ends: for our own tests.

import WeirEventLoop
package import WeirFlow

extension TestClient {
    /// Those of the present routes, in their order.
    package var guards: [RouteGuard] { server.shared.flow?.guards ?? [] }
}
