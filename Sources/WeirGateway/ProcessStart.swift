// SPDX-License-Identifier: Apache-2.0
// What the process was given at its start: its environment, and what systemd handed over.

import Weir
import WeirSystemd

/// What a command that serves begins with. Made once per process.
struct ProcessStart {
    let settings: Settings
    /// Systemd, or nobody.
    let supervisor: Supervisor

    /// Ends the process with one line where something of it cannot be used.
    init() {
        settings = Self.settings()
        do throws(SystemdError) {
            supervisor = try SystemdIntegration().supervisor
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }

    /// The settings of the environment; ends the process with one line where one is wrong.
    static func settings() -> Settings {
        do throws(SettingsError) {
            return try Settings.fromEnvironment()
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }
}
