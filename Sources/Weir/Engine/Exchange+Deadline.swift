// SPDX-License-Identifier: Apache-2.0
// How long the client waits, as its fields say it, and how much of it is left. On the loop's thread.

import WeirEventLoop
import WeirFlow
import WeirHTTP

extension Exchange {
    /// Calls a handler as the request that its task works for. Binding costs no allocation: the task has the room.
    func answer(_ handler: Handler.Asynchronous) async throws -> Response {
        let context = RequestContext(exchange: self)
        return try await RequestContext.$current.withValue(context) {
            try await handler(Request(exchange: self), context)
        }
    }

    /// The fields that say how long the client waits, as `HeaderNameSet.bits` has them.
    static let deadlineBits: UInt64 =
        1 << UInt64(HeaderName.grpcTimeout.rawValue) | 1 << UInt64(HeaderName.xEnvoyExpectedRequestTimeout.rawValue)
        | 1 << UInt64(HeaderName.deadline.rawValue)

    /// Whether the client has said how long it waits: one test of a word.
    @inline(__always)
    var hasDeadlineField: Bool { parser.pointee.fields.seen.bits & Self.deadlineBits != 0 }

    /// Sets how long the response's head may take, from the request's start.
    @inline(__always)
    func beginDeadline(of route: Route) {
        budget = route.deadlineNanoseconds
        callerDeadline = .max
        if hasDeadlineField { takeCallerDeadline() }
        deadline = startedAt &+ budget
    }

    private func takeCallerDeadline() {
        let left = callerBudget()
        guard left != .max else { return }
        budget = min(budget, left)
        callerDeadline = startedAt &+ left
    }

    /// The least that the client's fields say. It needs no trust: a client can only make its own deadline shorter.
    private func callerBudget() -> Nanoseconds {
        var least = Nanoseconds.max
        for index in 0..<parser.pointee.fieldCount {
            let field = parser.pointee.field(index)
            let form: DeadlineForm
            switch field.known {
            case .grpcTimeout: form = .grpc
            case .xEnvoyExpectedRequestTimeout: form = .milliseconds
            case .deadline: form = .duration
            default: continue
            }
            // The head is the exchange's own copy.
            if let left = form.read(Span<UInt8>(_unsafeBytes: bytes(field.value))) { least = min(least, left) }
        }
        return least
    }

    /// What is left of the deadline. Once the response has begun no instant ends the exchange: then what a new request
    /// would have. While the request's body outlives the deadline the same, but no more than the client waits.
    func timeLeft(at now: Nanoseconds) -> Nanoseconds {
        guard output.isPending else { return budget }
        let end = stream == .none || input.isDone ? deadline : min(now &+ budget, callerDeadline)
        return end > now ? end &- now : 0
    }
}
