// SPDX-License-Identifier: Apache-2.0
// Two apps in one process: one that passes requests on, and the one that answers them.

import Testing
import Weir
import WeirTestSupport

/// Runs `upstream` on a Unix socket of its own and `gateway` under test, with what passes requests on to it.
func withUpstream(
    _ configure: (App) -> Void,
    gateway: (App, UpstreamReference) -> Void = { app, upstream in app.proxy("/*path", to: upstream) },
    settings: (inout Settings) -> Void = { _ in },
    test body: (TestClient) async throws -> Void
) async throws {
    let folder = try ScratchFolder()
    let log = CapturedLog()
    let upstream = makeApp(log: log) {
        $0.listen = [.unix(path: "\(folder.path)/up.sock", mode: 0o600)]
    }
    configure(upstream)
    let running = try await RunningApp(upstream, log: log)
    let app = makeApp(settings)
    gateway(app, .endpoints("unix:\(folder.path)/up.sock", name: "up"))
    do {
        try await app.test { client async throws in try await body(client) }
    } catch {
        try await running.stop()
        throw error
    }
    try await running.stop()
}
