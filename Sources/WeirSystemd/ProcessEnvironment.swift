// SPDX-License-Identifier: Apache-2.0
// The environment that libsystemd reads, too.

import Glibc

/// The environment of this process.
package enum ProcessEnvironment {
    /// A variable's value; nil if it is not set.
    package static func value(_ name: String) -> String? {
        getenv(name).map { String(cString: $0) }
    }
}
