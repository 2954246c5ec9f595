// SPDX-License-Identifier: Apache-2.0
// The unit of time in this module. Nothing here reads a clock: the instant is a parameter.

/// An instant of a monotonic clock, or a length of time.
package typealias Nanoseconds = UInt64
