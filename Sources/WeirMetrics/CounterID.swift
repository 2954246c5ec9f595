// SPDX-License-Identifier: Apache-2.0
// The counters that every shard has: what happened how often. Names and help for /metrics are in the descriptors.

/// One of the fixed counters of a ``MetricsShard``. Cases of one family stand together, as the exposition needs.
@usableFromInline
package enum CounterID: UInt8, CaseIterable, Sendable {
    case connectionsAccepted
    case connectionsClosed
    case connectionsHandedOver
    case connectionsReset
    case connectionsShed
    case connectionsRetired
    case acceptFailures
    case acceptPauses
    case receivedBytes
    case sentBytes
    case requests
    case requestsCancelled
    case parseFault400
    case parseFault413
    case parseFault414
    case parseFault417
    case parseFault431
    case parseFault501
    case parseFault505
    case timeoutsHead
    case timeoutsBody
    case timeoutsKeepAlive
    case timeoutsWrite
    case timeoutsDeadline
    case timeoutsTunnel
    case timeoutsHandshake
    case handshakes
    case handshakesResumed
    case handshakesDelayed
    case handshakeFailuresPlainHTTP
    case handshakeFailuresVersion
    case handshakeFailuresParameters
    case handshakeFailuresApplication
    case handshakeFailuresAlert
    case handshakeFailuresCertificate
    case handshakeFailuresMalformed
    case handshakeFailuresClosed
    case secureFloods
    case earlyRequests
    case streamsCut
    case upstreamRetries
    case redisChecks
    case redisFallbacksAway
    case redisFallbacksSlow
    case redisFallbacksFull
    case redisFallbacksLongKey
    case redisConnects
    case handlerErrors
    case jobsRun
    case loopTurns

    /// The counter of requests that could not be parsed and were answered with `status`. A status without a counter
    /// of its own counts as 400.
    package static func parseFault(status: Int) -> CounterID {
        switch status {
        case 413: .parseFault413
        case 414: .parseFault414
        case 417: .parseFault417
        case 431: .parseFault431
        case 501: .parseFault501
        case 505: .parseFault505
        default: .parseFault400
        }
    }
}
