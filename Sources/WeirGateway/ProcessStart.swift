// SPDX-License-Identifier: Apache-2.0
// What the process was given at its start: its environment, its configuration file, and what systemd handed over.

import Weir
import WeirEventLoop
import WeirSystemd

/// What a command that serves begins with. Made once per process.
struct ProcessStart {
    /// What the environment and the file say. Read once, also by commands that do not serve; ends the process with one
    /// line where something is wrong.
    static var configuration: GatewayConfiguration { read.configuration }

    private static let read: Reading = {
        let environment = ProcessEnvironment.all
        // Before the file is read: what is written meanwhile makes another version.
        let version = environment["WEIR_CONFIG"].flatMap { FileVersion(path: $0) }
        do throws(SettingsError) {
            let configuration = try GatewayConfiguration.load(environment)
            return Reading(environment: environment, version: version, configuration: configuration)
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }()

    let configuration: GatewayConfiguration
    /// Where that is read anew; nil without a file, as the environment of a process does not change.
    let source: ConfigurationSource?
    /// Systemd, or nobody.
    let supervisor: Supervisor

    /// Ends the process with one line where something of it cannot be used.
    init() {
        let read = Self.read
        configuration = read.configuration
        let file = configuration.settings.configurationFile
        source =
            file.isEmpty
            ? nil
            : ConfigurationSource(file: file, version: read.version) { () throws(SettingsError) in
                try GatewayConfiguration.load(read.environment)
            }
        do throws(SystemdError) {
            supervisor = try SystemdIntegration().supervisor
        } catch {
            ProcessExit.wrongConfiguration.end("weir: \(error)")
        }
    }

    var settings: Settings { configuration.settings }

    private struct Reading: Sendable {
        let environment: [String: String]
        let version: FileVersion?
        let configuration: GatewayConfiguration
    }
}
