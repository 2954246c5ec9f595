// SPDX-License-Identifier: Apache-2.0
// What a fault of a connection means for the request that it was leased for.

import WeirUpstream

extension UpstreamConnection {
    /// How the attempt has failed, in the words of the retry policy.
    func attemptFailure(_ fault: UpstreamFault) -> AttemptFailure {
        if isStaleFault(fault) { return .stale }
        return switch fault {
        case .connect, .connectTimeout: .connect
        case .closed, .reset, .malformed: .reset
        case .timeout: .timeout
        }
    }
}
