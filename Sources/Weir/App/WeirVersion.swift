// SPDX-License-Identifier: Apache-2.0
// The version of this package, in one place.

/// What `weir --version` and `/config` say.
package enum WeirVersion {
    package static let text = "0.1.0"
}
