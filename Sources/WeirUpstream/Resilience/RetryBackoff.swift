// SPDX-License-Identifier: Apache-2.0
// How long to wait before a request is sent again. A value.

package import WeirEventLoop

/// Exponential with full jitter: anything up to a bound that doubles. Those that failed together come back spread over
/// the whole time, which halves the work of the usual half-and-half form for the same delay.
package struct RetryBackoff: Equatable, Sendable {
    package var base: Nanoseconds = 25_000_000
    package var max: Nanoseconds = 250_000_000

    package init() {}

    /// The wait before the retry of this number; the first is 1.
    package func wait(before retry: Int, using random: inout some RandomNumberGenerator) -> Nanoseconds {
        Nanoseconds.random(in: 0...bound(before: retry), using: &random)
    }

    package func bound(before retry: Int) -> Nanoseconds {
        let (length, overflow) = base.multipliedReportingOverflow(by: 1 << UInt64(clamping: min(retry - 1, 63)))
        return overflow ? max : min(length, max)
    }
}
