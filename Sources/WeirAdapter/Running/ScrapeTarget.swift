// SPDX-License-Identifier: Apache-2.0
// A pod that is asked, and those that wait for their turn. Confined to the adapter's loop.

import WeirEventLoop
import WeirUpstream

/// A pod that is asked, over a connection that is kept.
final class ScrapeTarget {
    enum Phase {
        case idle
        /// Waits for its turn.
        case due
        case asking
        /// The answer before did not come.
        case askingFailing
    }

    var pod: WatchedPod
    /// Its address without the port: what its certificate is for, unless that is set.
    let host: String
    let address: SocketAddress
    let request: [UInt8]
    let client: FetchClient
    var phase = Phase.idle
    /// Why the last answer did not come; nil where it did.
    var fault: String?

    init(_ pod: WatchedPod, _ host: String, at address: SocketAddress, on loop: EventLoop, timeout: Nanoseconds) {
        self.pod = pod
        self.host = host
        self.address = address
        request = Array("GET /queue HTTP/1.1\r\nHost: \(address)\r\nUser-Agent: weir\r\n\r\n".utf8)
        client = FetchClient(
            on: loop,
            field: "retry-after",
            bodyBytesMax: QueueReading.bytesMax,
            connectTimeout: timeout
        )
    }
}

/// Pods that wait, the first to come first.
struct ScrapeQueue {
    private var targets: [ScrapeTarget] = []
    /// What is in front of it has had its turn.
    private var start = 0

    mutating func append(_ target: ScrapeTarget) { targets.append(target) }

    mutating func next() -> ScrapeTarget? {
        guard start < targets.count else { return nil }
        let target = targets[start]
        start += 1
        if start == targets.count {
            targets.removeAll(keepingCapacity: true)
            start = 0
        }
        return target
    }

    mutating func remove(where isGone: (ScrapeTarget) -> Bool) {
        targets.removeFirst(start)
        start = 0
        targets.removeAll(where: isGone)
    }
}
