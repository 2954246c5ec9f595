// SPDX-License-Identifier: Apache-2.0
// What is left of a deadline, as fields of a request that goes to an endpoint.

import WeirFlow
import WeirHTTP

extension HeadWriter {
    /// The most bytes that all three deadline fields come to.
    static let deadlineBytesMax = 3 * (ChosenName.byteCountMax + DeadlineText.byteCountMax + 4)

    mutating func grpcTimeout(_ left: UInt64) {
        raw("grpc-timeout: ")
        time(left, as: .grpc)
    }

    mutating func envoyTimeout(_ left: UInt64) {
        raw("x-envoy-expected-rq-timeout-ms: ")
        time(left, as: .milliseconds)
    }

    mutating func deadline(_ name: ChosenName, _ left: UInt64) {
        raw(name.span)
        raw(": ")
        time(left, as: .duration)
    }

    private mutating func time(_ left: UInt64, as form: DeadlineForm) {
        let text = DeadlineText(left, as: form)
        raw(text.span)
        raw("\r\n")
    }
}
