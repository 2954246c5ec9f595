// SPDX-License-Identifier: Apache-2.0
// Converts the clock to the unit in which a limit is counted, so that no interval is ever rounded. Pure.

/// A unit of time of which an interval, say the third of a second, has a power of two.
///
/// The interval between two requests is seldom a whole number of nanoseconds, and a rounded one, added up, is another
/// rate. So not the interval is converted but the clock: an interval is exactly `2^shift` ticks, a tick is more than
/// half a nanosecond and at most one, and `ticks` multiplies the clock by a factor of 64 significant bits, rounded down.
///
/// - The rate that results is never above the one asked for, and below it by less than one part in 2⁶³.
/// - Where intervals begin and end is off by less than one tick, that is, one nanosecond, once and not per request:
///   in `w` nanoseconds no more comes in than the rate brings in `w + 1`.
///
/// Ranges: a clock up to `clockMax` is below 2⁶⁰ ticks, an interval or refill of up to 365 days below 2⁵⁶.
struct TickScale: Sendable {
    /// 18 years from a limiter's start. Beyond it the clock counts as standing still.
    static let clockMax: Nanoseconds = 1 << 59 - 1

    /// An interval is `2^shift` ticks.
    let shift: UInt64
    /// Ticks in a nanosecond, in [1, 2), times 2⁶³, rounded down.
    private let ticksPerNanosecond: UInt64
    /// Nanoseconds in a tick, in (1/2, 1], times 2⁶³, rounded up.
    private let nanosecondsPerTick: UInt64

    /// A scale for an interval of `period / amount` nanoseconds, which is at least one.
    init(period: Nanoseconds, amount: UInt64) {
        precondition(amount > 0 && amount <= period && period < 1 << 55, "an interval is 1 ns to 365 d")
        var shift: UInt64 = 0
        while amount << shift < period { shift += 1 }  // below 2⁵⁶, as `period` is below 2⁵⁵
        self.shift = shift
        let factor = UInt64(UInt128(amount << shift) << 63 / UInt128(period))
        ticksPerNanosecond = factor
        nanosecondsPerTick = UInt64((UInt128(1) << 126 + UInt128(factor) - 1) / UInt128(factor))
    }

    /// The ticks in a time, rounded down.
    func ticks(_ time: Nanoseconds) -> UInt64 {
        let product = min(time, Self.clockMax).multipliedFullWidth(by: ticksPerNanosecond)
        return product.high &<< 1 | product.low &>> 63
    }

    /// The least time after which at least `ticks` more have passed, whenever it begins: rounded up.
    func nanoseconds(_ ticks: UInt64) -> Nanoseconds {
        let product = ticks.multipliedFullWidth(by: nanosecondsPerTick)
        let (low, carries) = product.low.addingReportingOverflow(1 << 63 - 1)
        return (product.high &+ (carries ? 1 : 0)) &<< 1 | low &>> 63
    }
}
