// SPDX-License-Identifier: Apache-2.0
// Other routes for an app under test: for our own tests of what a change of routes does.

extension App {
    /// The routes of this app as a snapshot that no engine runs yet.
    package func snapshot(version: UInt64) throws(AppError) -> Snapshot {
        let hold = hold()
        return try hold.snapshot(of: hold.routes(configuration), settings, version: version, upstreams: [])
    }
}

extension TestClient {
    /// Publishes `snapshot` where the app under test runs; see `HTTPServer.publish`.
    package func publish(_ snapshot: Snapshot, replacing expected: UInt64) -> Bool {
        server.publish(snapshot, replacing: expected)
    }
}
