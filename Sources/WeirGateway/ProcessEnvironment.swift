// SPDX-License-Identifier: Apache-2.0
// The variables of the process.

import FoundationEssentials

/// This process's environment.
enum ProcessEnvironment {
    static var all: [String: String] { ProcessInfo.processInfo.environment }

    static func value(_ name: String) -> String? { all[name] }
}
