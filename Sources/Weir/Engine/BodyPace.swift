// SPDX-License-Identifier: Apache-2.0
// How fast the body of a request comes, in the time in which its client may send. Pure; time is a parameter. Owned by the
// connection.

package import WeirEventLoop
import WeirMetrics

/// A window of time in which enough of a body must come.
///
/// While the server holds the client back the window stands still: the server's time does not count against the client,
/// and what the client had before, bytes and time, is not forgotten.
package struct BodyPace {
    private var bytes: UInt64 = 0
    /// What of the window was left when it was stopped.
    private var rest: Nanoseconds = 0

    package init() {}

    /// A window begins; answers its end.
    package mutating func begin(at now: Nanoseconds, length: Nanoseconds) -> Nanoseconds {
        bytes = 0
        return now &+ length
    }

    /// So many bytes have come.
    package mutating func take(_ count: Int) { bytes &+= UInt64(count) }

    /// The client is held back from now on.
    package mutating func stop(at now: Nanoseconds, before end: Nanoseconds) { rest = end > now ? end - now : 0 }

    /// The client may send again; answers the window's new end.
    package func goOn(at now: Nanoseconds) -> Nanoseconds { now &+ rest }

    /// Whether enough has come in the window; nothing at all never is.
    package func isEnough(_ least: UInt64) -> Bool { bytes > 0 && bytes >= least }
}

extension HTTP1Connection {
    /// From now on the body is waited for.
    func beginBodyClock() {
        readDeadline = bodyPace.begin(at: loop.now, length: configuration.bodyTimeout)
    }

    /// The client is held back, and not late meanwhile.
    func stopBodyClock() {
        guard readDeadline != .max else { return }
        bodyPace.stop(at: loop.now, before: readDeadline)
        readDeadline = .max
    }

    /// The client may send again.
    func resumeBodyClock() {
        guard readDeadline == .max else { return }
        readDeadline = bodyPace.goOn(at: loop.now)
    }

    /// The window is over: another begins where enough has come in it.
    func bodyTimedOut(_ exchange: Exchange) {
        if bodyPace.isEnough(configuration.bodyBytesPerTimeoutMin) { return beginBodyClock() }
        metrics.increment(.timeoutsBody)
        exchange.inputFailure = .timedOut
        answerTimeout(.requestTimeout, "the request's body took too long")
    }
}
