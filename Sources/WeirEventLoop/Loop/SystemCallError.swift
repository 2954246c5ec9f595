// SPDX-License-Identifier: Apache-2.0
// A system call that failed, as plain values; text is made only where somebody reads it.

import Glibc

/// A failed system call: its name, the error number, and what it was about.
package struct SystemCallError: Error, Equatable, CustomStringConvertible {
    package let call: String
    package let errno: Int32
    package let subject: String

    package init(_ call: String, errno: Int32, subject: String = "") {
        self.call = call
        self.errno = errno
        self.subject = subject
    }

    package var description: String {
        let reason = String(cString: strerror(errno))
        return subject.isEmpty ? "\(call): \(reason)" : "\(call) \(subject): \(reason)"
    }
}
