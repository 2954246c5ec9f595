// SPDX-License-Identifier: Apache-2.0
// Reloads of an app under test, and what is in force: for our own tests.

extension TestClient {
    /// Has the app take over what `load` answers, as a reload of its file does.
    package func reload(_ load: () throws(SettingsError) -> GatewayConfiguration) -> ReloadOutcome { reload.run(load) }

    /// What the app runs with now.
    package var settings: Settings { reload.live.present.settings }

    /// The version of the published snapshot.
    package var version: UInt64 { server.snapshot.version }

    /// How many limits there are.
    package var limitCount: Int { server.shared.flow?.limits.count ?? 0 }

    /// One more than the highest number of a present limit.
    package var limitNumberCount: Int { server.shared.flow?.limitNumberCount ?? 0 }
}
