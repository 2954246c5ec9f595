// SPDX-License-Identifier: Apache-2.0
// What the process was given at its start: its environment, its configuration file, and what systemd handed over.

import Weir
import WeirSystemd

/// What a command that serves begins with. Made once per process.
struct ProcessStart {
    let configuration: GatewayConfiguration
    /// Systemd, or nobody.
    let supervisor: Supervisor

    /// Ends the process with one line where something of it cannot be used.
    init() {
        configuration = Self.configuration()
        do throws(SystemdError) {
            supervisor = try SystemdIntegration().supervisor
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }

    var settings: Settings { configuration.settings }

    /// What the environment and the file say; ends the process with one line where something is wrong.
    static func configuration() -> GatewayConfiguration {
        do throws(SettingsError) {
            return try GatewayConfiguration.load(ProcessEnvironment.all)
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }
}
