// SPDX-License-Identifier: Apache-2.0
// What Swift's runtime opens for itself only when it first needs it, opened at the start.

import Dispatch

enum MainQueue {
    /// libdispatch makes a descriptor for the main queue when something is first put on it, and traps where there is none
    /// to be had. So it gets it before connections can have taken the last.
    static func open() {
        DispatchQueue.main.async {}
    }
}
