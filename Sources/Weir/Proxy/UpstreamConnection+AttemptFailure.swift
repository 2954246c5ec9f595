// SPDX-License-Identifier: Apache-2.0
// What a fault of a connection means for the request that it was leased for.

import WeirUpstream

extension UpstreamConnection {
    /// How the attempt has failed, in the words of the retry policy; nil for what is not tried again: a response that is
    /// none would only come again, and one whose head was there has been carried out.
    func attemptFailure(_ fault: UpstreamFault) -> AttemptFailure? {
        if isStaleFault(fault) { return .stale }
        if hasHead { return nil }
        return switch fault {
        case .connect, .connectTimeout: .connect
        case .closed, .reset: .reset
        case .timeout: .timeout
        case .malformed: nil
        }
    }
}
