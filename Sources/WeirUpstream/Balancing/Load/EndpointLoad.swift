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
/// An endpoint **without a sample** costs nothing while it is idle, and `unknownNanoseconds` for each request otherwise.
/// So it gets one request as soon as it is drawn, and hardly another before that one is answered. What is away for long
/// decays to nothing while the others don't; whoever brings it back calls `forget`, or all requests go there at first.
///
/// What does not answer at all decays too, until its requests are given up and noted as failures.
package struct EndpointLoad: ~Copyable, Sendable {
    /// As in Finagle and Linkerd: half a minute forgets a slow answer.
    package static let timeConstantDefault: Nanoseconds = 10_000_000_000
    /// What a failure counts as at least: an endpoint that refuses within a millisecond must not look fast.
    package static let failureNanoseconds: Nanoseconds = 1_000_000_000
    /// What an endpoint counts as that has requests and has answered none yet.
    package static let unknownNanoseconds: Nanoseconds = 1_000_000_000

    let line: CacheLine<Cell>

    package init(timeConstant: Nanoseconds = timeConstantDefault) {
        line = CacheLine(Cell(timeConstant: timeConstant))
    }

    package var requestsInFlight: Int { line.address.pointee.requestsInFlight }
    /// How many have begun.
    package var requestCount: UInt64 { line.address.pointee.requestCount }

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

    /// Makes it an endpoint without a sample.
    package func forget() { line.address.pointee.forget() }

    /// The average in nanoseconds; nil without a sample.
    package func average(at now: Nanoseconds) -> Double? { line.address.pointee.average(at: now) }

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
        /// On the line that a beginning writes anyway.
        private let begun = Atomic<UInt64>(0)
        /// The bits of a Double, as it was at `notedAt`; 0 without a sample.
        private let peak = Atomic<UInt64>(0)
        private let notedAt = Atomic<UInt64>(0)
        private let decayPerNanosecond: Double

        /// What a choice is made by.
        struct State {
            let nanoseconds: Double
            let requests: Double
        }

        init(timeConstant: Nanoseconds) {
            precondition(timeConstant > 0, "an average needs a time to decay in")
            decayPerNanosecond = 1 / Double(timeConstant)
        }

        var requestsInFlight: Int { inFlight.load(ordering: .relaxed) }

        var requestCount: UInt64 { begun.load(ordering: .relaxed) }

        func begin() {
            inFlight.wrappingAdd(1, ordering: .relaxed)
            begun.wrappingAdd(1, ordering: .relaxed)
        }
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

        func forget() { peak.store(0, ordering: .relaxed) }

        /// Never less than a nanosecond: endpoints that have all been idle for long are told apart by their requests.
        @inline(__always)
        func average(at now: Nanoseconds) -> Double? {
            let previous = notedAt.load(ordering: .relaxed)
            let noted = Double(bitPattern: peak.load(ordering: .relaxed))
            return noted > 0 ? max(1, noted * remainder(after: now > previous ? now &- previous : 0)) : nil
        }

        @inline(__always)
        func state(at now: Nanoseconds) -> State {
            let requests = Double(inFlight.load(ordering: .relaxed))
            let unknown = requests > 0 ? Double(EndpointLoad.unknownNanoseconds) : 0
            return State(nanoseconds: average(at: now) ?? unknown, requests: requests)
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
