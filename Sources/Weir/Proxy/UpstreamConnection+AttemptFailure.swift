// SPDX-License-Identifier: Apache-2.0
// What a fault of a connection, or a response on it, means for the request that it was leased for.

import WeirHTTP
import WeirUpstream

extension UpstreamConnection {
    /// How the attempt has failed, in the words of the retry policy; nil for what is not tried again: a response that is
    /// none would only come again, and one whose head was there has been carried out.
    func attemptFailure(_ fault: UpstreamFault) -> AttemptFailure? {
        if isStaleFault(fault) { return .stale }
        if hasHead { return nil }
        return switch fault {
        // What was sent waits for the handshake: nothing of the request has gone.
        case .connect, .tls, .connectTimeout: .connect
        case .closed, .reset, .timeout: .reset
        case .attemptTimeout: .timeout
        case .malformed: nil
        }
    }

    /// How the attempt has failed that this response answers; nil where it is not a cause of `policy`. The bytes are those
    /// of its head.
    @inline(__always)
    func attemptFailure(
        _ head: ResponseHead,
        _ bytes: UnsafeRawBufferPointer,
        _ policy: @autoclosure () -> RetryPolicy?
    ) -> AttemptFailure? {
        // One comparison for nearly every response.
        guard RetryCauses.statuses.contains(head.status), let policy = policy(),
            policy.causes.contains(RetryCauses(status: head.status))
        else { return nil }
        // The bytes are valid during this call.
        return .status(head.status, retryAfter: retryAfter(in: Span<UInt8>(_unsafeBytes: bytes)))
    }
}
