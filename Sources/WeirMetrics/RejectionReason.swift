// SPDX-License-Identifier: Apache-2.0
// Why requests are turned away: the label of weir_rejected_total.

/// Why a request was turned away.
package enum RejectionReason: UInt16, CaseIterable, Sendable {
    case rateLimited
    case queueFull
    case deadlineUnmeetable
    case memory
    case descriptors
    case deadlineExceeded
    case noEndpoint
    case tunnels
    case degraded

    /// As it stands in metrics, the access log and the answer.
    package var label: String {
        switch self {
        case .rateLimited: "rate_limited"
        case .queueFull: "queue_full"
        case .deadlineUnmeetable: "deadline_unmeetable"
        case .memory: "memory"
        case .descriptors: "descriptors"
        case .deadlineExceeded: "deadline_exceeded"
        case .noEndpoint: "no_endpoint"
        case .tunnels: "tunnels"
        case .degraded: "degraded"
        }
    }
}
