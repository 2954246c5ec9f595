// SPDX-License-Identifier: Apache-2.0
// What a response asks its client to wait (RFC 9110 section 10.2.3). Pure.

package import WeirEventLoop
import WeirHTTP

/// Reads the value of `Retry-After`.
package enum RetryAfter {
    /// What is longer counts as this.
    package static let secondsMax: Nanoseconds = 86_400

    /// The time that a value in seconds says. A date, or what is neither, says that something was asked for, and no time: 0.
    /// Linear in the value; does not allocate.
    package static func read(_ value: Span<UInt8>) -> Nanoseconds {
        min(UInt64(digits: value) ?? 0, secondsMax) &* 1_000_000_000
    }
}
