// SPDX-License-Identifier: Apache-2.0
// The PROXY protocol in front of a TLS handshake: a load balancer that passes connections on as they are says whom they
// are from before the client's first byte. Part of a connection, on its loop's thread.

import WeirEventLoop

/// What has come of a header that must be there.
struct ProxyPreface {
    /// Empty where the header came whole, as it does nearly always.
    private var bytes: [UInt8] = []

    enum Outcome {
        case incomplete
        /// So many of the bytes were the header's; those behind it are TLS.
        case complete(ProxyHeader, taken: Int)
        /// Whoever is configured to send one and does not is not to be believed about anything.
        case refused
    }

    mutating func read(_ input: UnsafeRawBufferPointer) -> Outcome {
        let kept = bytes.count
        let outcome: ProxyProtocol.Outcome
        if kept == 0 {
            // The bytes are the loop's, valid during this call.
            outcome = ProxyProtocol.read(Span<UInt8>(_unsafeBytes: input))
        } else {
            bytes += input
            outcome = ProxyProtocol.read(bytes.span)
        }
        switch outcome {
        case .incomplete:
            if kept == 0 { bytes = Array(input) }
            return .incomplete
        // What was kept is the header's beginning, so it ends in what has come now.
        case .complete(let header): return .complete(header, taken: header.byteCount - kept)
        case .notProxy, .invalid: return .refused
        }
    }
}
