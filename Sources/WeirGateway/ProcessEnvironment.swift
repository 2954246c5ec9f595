// SPDX-License-Identifier: Apache-2.0
// Variables of the process that are no settings.

import FoundationEssentials

/// This process's environment.
enum ProcessEnvironment {
    static func value(_ name: String) -> String? { ProcessInfo.processInfo.environment[name] }
}
