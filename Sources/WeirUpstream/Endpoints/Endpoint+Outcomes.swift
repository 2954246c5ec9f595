// SPDX-License-Identifier: Apache-2.0
// What a request says of the endpoint that it was sent to: told once, to whoever judges endpoints. On a loop's thread.

import WeirEventLoop

extension Endpoint {
    /// A response's head has come so long after the whole request.
    ///
    /// - Parameter retryAfter: what the endpoint says of itself, where it refuses.
    func noteAnswer(
        status: Int,
        retryAfter: Nanoseconds?,
        after latency: Nanoseconds,
        permit: CircuitPermit?,
        _ policy: CircuitPolicy?,
        at now: Nanoseconds
    ) {
        let outcome = EndpointOutcome(status: status, hasRetryAfter: retryAfter != nil, after: latency)
        outcomes.note(outcome)
        switch outcome {
        case .answered, .serverError: load.note(latency, at: now)
        case .refused: pressure.refused(retryAfter: retryAfter, at: now)
        // That it is quick at failing must not draw requests.
        case .gatewayFailure: load.noteFailure(after: latency, at: now)
        case .connectionFailure, .timeout: break
        }
        if let permit, let policy { circuit.succeeded(permit, at: now, policy) }
    }

    /// No connection could be made, or one ended before the response.
    func noteConnectFailure(
        _ permit: CircuitPermit?,
        _ policy: CircuitPolicy?,
        after time: Nanoseconds = 0,
        at now: Nanoseconds,
        using random: inout WyRand
    ) {
        outcomes.note(.connectionFailure)
        load.noteFailure(after: time, at: now)
        if let permit, let policy { circuit.failed(permit, at: now, policy, using: &random) }
    }

    /// The request has waited so long for an answer in vain. That says something only where others were answered sooner:
    /// a client that gives up early must not have an endpoint ejected.
    func noteUnanswered(_ permit: CircuitPermit?, route: Int, after time: Nanoseconds, at now: Nanoseconds) {
        if let permit { circuit.abandoned(permit) }
        if responseTimes.noteUnanswered(time, route: route) { countTimeout(after: time, at: now) }
    }

    /// The request has waited in vain for as long as any attempt may.
    func noteTimeout(_ permit: CircuitPermit?, route: Int, after time: Nanoseconds, at now: Nanoseconds) {
        if let permit { circuit.abandoned(permit) }
        responseTimes.noteGivenUp(time, route: route)
        countTimeout(after: time, at: now)
    }

    private func countTimeout(after time: Nanoseconds, at now: Nanoseconds) {
        outcomes.note(.timeout)
        load.noteFailure(after: time, at: now)
    }
}
