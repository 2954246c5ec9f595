// SPDX-License-Identifier: Apache-2.0
// A gateway of a configuration in YAML, and the services behind it, in one process.

import Weir
import WeirTestSupport

/// Runs an echo for each name on a Unix socket; `body` is given the URLs by name.
func withEchoes(_ names: [String], _ body: ([String: String]) async throws -> Void) async throws {
    let folder = try ScratchFolder()
    var running: [RunningApp] = []
    var urls: [String: String] = [:]
    for name in names {
        let log = CapturedLog()
        let app = makeApp(log: log) {
            $0.listen = [.unix(path: "\(folder.path)/\(name)", mode: 0o600)]
        }
        Echo.declare(on: app, name: name)
        running.append(try await RunningApp(app, log: log))
        urls[name] = "unix:\(folder.path)/\(name)"
    }
    do {
        try await body(urls)
    } catch {
        for app in running { try await app.stop() }
        throw error
    }
    for app in running { try await app.stop() }
}

/// Runs an echo for each name, and a gateway under test whose upstreams of these names lead there.
///
/// - Parameter yaml: the file without its upstreams.
func withConfiguredGateway(
    _ names: [String] = ["a"],
    _ yaml: String,
    settings change: [String: String] = [:],
    test body: (TestClient) async throws -> Void
) async throws {
    try await withEchoes(names) { urls async throws in
        let upstreams = names.map { "  \($0): {endpoints: [\"\(urls[$0] ?? "")\"]}\n" }.joined()
        let environment = ["WEIR_LOOPS": "1", "WEIR_LOG_LEVEL": "critical"].merging(change) { $1 }
        let configuration = try GatewayConfiguration("upstreams:\n\(upstreams)\(yaml)", environment)
        try await App(configuration).test { client async throws in try await body(client) }
    }
}

/// A service that answers what it was asked.
enum Echo {
    static func declare(on app: App, name: String) {
        for method in [Method.get, .post, .put, .delete] {
            app.handleBody(.async, "/*path", method: method, upTo: .mebibytes(1)) { body, request in
                var response = Response.bytes(body)
                response.headers["X-Service"] = name
                response.headers["X-Target"] = request.target
                response.headers["X-Host"] = request.host
                response.headers["X-Server-Secret"] = "42"
                // Each field that came, in its order.
                for (name, value) in request.headers { response.headers.add("Saw-\(name)", value) }
                return response
            }
        }
    }
}
