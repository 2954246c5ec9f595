// SPDX-License-Identifier: Apache-2.0
// What an endpoint has to do now, and how long it takes of late. Part of the endpoint, shared by all loops, no lock.

import Glibc
import Synchronization
package import WeirEventLoop

/// Requests in flight, and a peak-sensitive average of response times.
///
/// The average is that of Finagle's and Linkerd's balancers (peak EWMA): a time above it replaces it at once, times below
/// it wear it down with a time constant. Between samples it decays as well, so an endpoint that was slow is asked again.
///
/// An endpoint **without a sample**, or whose last is `staleTimeConstants` old, costs nothing while it is idle and
/// `unknownNanoseconds` times its requests otherwise. So it gets one request as soon as it is drawn, and hardly another
/// before that one is answered.
package struct EndpointLoad: ~Copyable, Sendable {
    /// The most that is usual elsewhere: long enough to remember a slow answer, and half a minute forgets it.
    package static let timeConstantDefault: Nanoseconds = 10_000_000_000
    /// What a failure counts as at least: an endpoint that refuses within a millisecond must not look fast.
    package static let failureNanoseconds: Nanoseconds = 1_000_000_000
    /// What an endpoint counts as that has requests and has answered none of late.
    package static let unknownNanoseconds: Nanoseconds = 1_000_000_000
    /// A sample of so many time constants ago says nothing any more: what decay leaves of it, 1/55, would draw everything.
    package static let staleTimeConstants: UInt64 = 4

    let line: CacheLine<Cell>

    package init(timeConstant: Nanoseconds = timeConstantDefault) {
        line = CacheLine(Cell(timeConstant: timeConstant))
    }

    package var requestsInFlight: Int { line.address.pointee.requestsInFlight }

    package func begin() { line.address.pointee.begin() }
    package func end() { line.address.pointee.end() }

    /// The endpoint has answered after so long.
    package func note(_ time: Nanoseconds, at now: Nanoseconds) {
        line.address.pointee.note(Double(max(1, time)), at: now)
    }

    /// The endpoint could not be reached, broke off, or was given up after so long.
    package func noteFailure(after time: Nanoseconds, at now: Nanoseconds) {
        note(max(time, Self.failureNanoseconds), at: now)
    }

    /// The average in nanoseconds; nil where too little is known.
    package func average(at now: Nanoseconds) -> Double? {
        let average = line.address.pointee.average(at: now)
        return average > 0 ? average : nil
    }

    /// The average times one more request than there are.
    package func cost(at now: Nanoseconds) -> Double {
        let state = line.address.pointee.state(at: now)
        return state.nanoseconds * (state.requests + 1)
    }
}

extension EndpointLoad {
    /// What lies on the line. All relaxed: a value that is seen late moves one decision.
    struct Cell: ~Copyable, Sendable {
        private let inFlight = Atomic<Int>(0)
        /// The bits of a Double, as it was at `notedAt`; 0 before the first sample.
        private let peak = Atomic<UInt64>(0)
        private let notedAt = Atomic<UInt64>(0)
        private let decayPerNanosecond: Double
        private let staleNanoseconds: Nanoseconds

        /// What a choice is made by.
        struct State {
            let nanoseconds: Double
            let requests: Double
        }

        init(timeConstant: Nanoseconds) {
            precondition(timeConstant > 0, "an average needs a time to decay in")
            decayPerNanosecond = 1 / Double(timeConstant)
            let (stale, isTooLong) = timeConstant.multipliedReportingOverflow(by: EndpointLoad.staleTimeConstants)
            staleNanoseconds = isTooLong ? .max : stale
        }

        var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

        func begin() { inFlight.wrappingAdd(1, ordering: .relaxed) }
        func end() { inFlight.wrappingSubtract(1, ordering: .relaxed) }

        func note(_ time: Double, at now: Nanoseconds) {
            // Each sample takes the time since the one before it for itself: of two threads none decays the same interval
            // again, and none is lost.
            let previous = notedAt.max(now, ordering: .relaxed).oldValue
            let kept = remainder(after: now > previous ? now &- previous : 0)
            var bits = peak.load(ordering: .relaxed)
            while true {
                let old = Double(bitPattern: bits)
                let new = time >= old ? time : time + (old - time) * kept
                let (exchanged, present) = peak.weakCompareExchange(
                    expected: bits,
                    desired: new.bitPattern,
                    ordering: .relaxed
                )
                if exchanged { return }
                bits = present
            }
        }

        /// 0 where too little is known.
        @inline(__always)
        func average(at now: Nanoseconds) -> Double {
            let previous = notedAt.load(ordering: .relaxed)
            let elapsed = now > previous ? now &- previous : 0
            guard elapsed < staleNanoseconds else { return 0 }
            return Double(bitPattern: peak.load(ordering: .relaxed)) * remainder(after: elapsed)
        }

        @inline(__always)
        func state(at now: Nanoseconds) -> State {
            let requests = Double(inFlight.load(ordering: .relaxed))
            let average = average(at: now)
            if average > 0 { return State(nanoseconds: average, requests: requests) }
            return State(nanoseconds: requests > 0 ? Double(EndpointLoad.unknownNanoseconds) : 0, requests: requests)
        }

        /// What decay leaves of 1.
        @inline(__always)
        private func remainder(after elapsed: Nanoseconds) -> Double {
            let exponent = Double(elapsed) * decayPerNanosecond
            // An endpoint with traffic has its samples milliseconds apart; the series is exact to a part in ten million
            // there, and saves a call.
            if exponent < 1 / 128 { return 1 - exponent + exponent * exponent / 2 }
            return exp(-exponent)
        }
    }
}
