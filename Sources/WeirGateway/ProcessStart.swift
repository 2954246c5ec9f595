// SPDX-License-Identifier: Apache-2.0
// What the process was given at its start: its environment, its configuration file, and what systemd handed over.

import Weir
import WeirEventLoop
import WeirSystemd

/// What a command that serves begins with. Made once per process.
struct ProcessStart {
    let configuration: GatewayConfiguration
    /// Where that is read anew; nil without a file, as the environment of a process does not change.
    let source: ConfigurationSource?
    /// Systemd, or nobody.
    let supervisor: Supervisor

    /// Ends the process with one line where something of it cannot be used.
    init() {
        configuration = Self.configuration
        let file = configuration.settings.configurationFile
        source =
            file.isEmpty
            ? nil
            : ConfigurationSource(file: file, version: Self.fileVersion) { () throws(SettingsError) in
                try GatewayConfiguration.load(Self.environment)
            }
        do throws(SystemdError) {
            supervisor = try SystemdIntegration().supervisor
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }

    var settings: Settings { configuration.settings }

    /// What the environment and the file say, read once; ends the process with one line where something is wrong.
    static let configuration: GatewayConfiguration = {
        // Before the file is read: what is written meanwhile makes another version.
        _ = fileVersion
        do throws(SettingsError) {
            return try GatewayConfiguration.load(environment)
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }()

    private static let environment = ProcessEnvironment.all
    private static let fileVersion = environment["WEIR_CONFIG"].flatMap { FileVersion(path: $0) }
}
