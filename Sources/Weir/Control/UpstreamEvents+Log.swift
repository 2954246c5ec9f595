// SPDX-License-Identifier: Apache-2.0
// What happened to endpoints as lines of the log. On the control loop.

import Logging
import WeirTLS
import WeirUpstream

extension Upstream {
    /// Has loops choose by what is known of the endpoints now, and tells what has changed.
    func reweigh(at now: UInt64, log logger: Logger) {
        for event in reweigh(at: now) { log(event, to: logger) }
    }

    private func log(_ event: UpstreamEvent, to logger: Logger) {
        switch event {
        case .ejection(let ejection):
            let name = "endpoint \(ejection.endpoint) of upstream \(name)"
            switch ejection.change {
            case .ejected(let cause, let time):
                logger.warning(
                    "\(name) is ejected",
                    metadata: ["cause": "\(cause.label)", "seconds": .stringConvertible(time / 1_000_000_000)]
                )
            case .returned: logger.notice("\(name) is back")
            case .returnedAsLast: logger.notice("\(name) is back before its time: no other can be used")
            }
        case .breaker(let endpoint, let isFailing):
            let name = "endpoint \(endpoint) of upstream \(name)"
            if isFailing {
                logger.warning("\(name) is left alone but for probes: its connections fail")
            } else {
                logger.notice("\(name) takes connections again")
            }
        case .handshake(let endpoint, let failure):
            logger.warning(
                "no TLS with endpoint \(endpoint) of upstream \(name)",
                metadata: ["reason": .string(failure.fault.label), "detail": .string(failure.text)]
            )
        case .panic(let isPanicking):
            if isPanicking {
                logger.warning("upstream \(name): so few endpoints are well that all are used")
            } else {
                logger.notice("upstream \(name): enough endpoints are well again")
            }
        }
    }
}
