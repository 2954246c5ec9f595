// SPDX-License-Identifier: Apache-2.0
// The numbers behind the limit that is found from latency, and why they are what they are.

extension AutoConcurrency {
    /// How often ``update(now:)`` is best called: some times within the shortest phase.
    package static let updateInterval: Nanoseconds = 100_000_000

    /// The most for each CPU: who waits in greater numbers waits for something that no limit here can tell.
    package static let mostPerCPU = 1000

    /// The limit above the knee. A knee that was found a fifth too low then costs no throughput yet, and the queue in
    /// the service adds a quarter to its latency.
    static let headroom = 1.25

    /// Two latencies whose ratio is below this are the same: about the middle between 1, where there is no queue, and
    /// ``headroom``, where the limit is at rest.
    static let tolerance = 1.12

    /// The growth while no queue shows: 4 to 100 takes 8 steps, the last of which may pass the knee by half of it.
    /// From rest the first step is ``headroom`` only, as it may come from noise.
    static let growth = 1.5

    /// The growth until a queue shows for the first time, and how few requests are enough for it: one for each place of
    /// the limit, but not fewer. A mean of few is uncertain, and in doubt the limit grows: it passes the knee by a
    /// doubling or two, and falls back with the first probe.
    static let growthAtStart = 2.0
    static let samplesLeastAtStart: UInt64 = 8

    /// How far below the knee a probe goes: just below it even where the estimate is a quarter too high.
    static let probeShare = 0.8

    /// The same after a probe that was above the knee still.
    static let probeShareDeep = 0.6

    /// The least share of the limit that a probe leaves, as the baseline may be wrong.
    static let probeLeast = 0.4

    /// A knee that is above the probe's limit by less was not reached by it: it is at 1.0 with a queue, and at
    /// 1 / ``probeShare`` without.
    static let sameThroughput = 1.06

    /// What a probe weighs against those before: the noise of one is halved.
    static let probeWeight = 0.3

    /// A cruise is as long as this many probes, so that probing costs 1/9 of 1/5: some 2 % of the throughput.
    static let cruisesPerProbe: UInt64 = 8

    /// A latency or a knee that is off by more is no noise: it is probed at once, and not averaged.
    static let surprise = 1.3

    /// A mean is exact when its standard error is this share of it. Cruise and baseline together then have an error of
    /// 0.06, half of what ``tolerance`` lies from both sides.
    static let errorEnough = 0.04

    /// Or after so many requests: 0.04 for a deviation of 1.3 × the mean. Heavier tails have no exact mean.
    static let samplesEnough: UInt64 = 1000

    /// Or after so long: a slow service is judged by less.
    static let windowLong: Nanoseconds = 3_000_000_000

    /// Below so many requests, or two for each place of the limit, nothing is judged.
    static let samplesLeast: UInt64 = 20

    /// The limit counts as used where one request in so many met it. Bursts are enough: only who met it is judged.
    static let boundShare: UInt64 = 10

    /// More failures than this share, beside those that are tolerated, are overload.
    static let failuresMost = 0.1

    /// How far the limit falls for failures until it is asked whether that helps: three steps, whose effect is more than
    /// the noise of a window.
    static let descentJudged = 0.75

    /// What a window with fewer failures takes of what is tolerated.
    static let toleranceFades = 0.1

    /// The largest step down for failures, the usual back-off of AIMD limits, and for how long the limit then grows
    /// by 1 only.
    static let retreatMost = 0.1
    static let caution: Nanoseconds = 10_000_000_000

    /// Less exact means need a greater difference. In doubt the limit grows: that shows a queue, if there is one.
    static func tolerance(_ one: LatencySum, _ other: LatencySum) -> Double {
        tolerance + max(0, one.error + other.error - 2 * errorEnough)
    }
}
