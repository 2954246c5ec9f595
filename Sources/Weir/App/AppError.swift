// SPDX-License-Identifier: Apache-2.0
// Why an app could not start.

import WeirEventLoop

/// Why an app did not start. `description` is one line that names what was wrong.
public enum AppError: Error, Sendable, CustomStringConvertible {
    /// A setting is wrong: exit code 78.
    case settings(SettingsError)
    /// A route is wrong, or two are for the same requests; which, and where they were declared: exit code 78.
    case routes(String)
    /// An address cannot be listened on, or the system refuses what the engine needs: exit code 69.
    case system(String)

    public var description: String {
        switch self {
        case .settings(let error): "\(error)"
        case .routes(let text), .system(let text): text
        }
    }

    package var exit: ProcessExit {
        switch self {
        case .settings, .routes: .wrongConfiguration
        case .system: .unavailable
        }
    }

    init(_ error: SystemCallError) {
        self = .system("\(error)")
    }
}
