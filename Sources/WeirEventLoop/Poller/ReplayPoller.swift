// SPDX-License-Identifier: Apache-2.0
// A poller without a kernel: every connection receives a fixed list of bytes over and over, and what is sent is
// handed to the test. It makes instruction counts exact and repeatable.

import CWeirSystem

/// Replays `script` to each connection `rounds` times, then reports the end of input.
///
/// Confined to its loop's thread (`@unchecked Sendable` so that it can be handed to that thread once).
package final class ReplayPoller: @unchecked Sendable {
    private let script: [UInt8]
    private let rounds: Int
    private var connections: [Int32: (token: UInt64, receivedRounds: Int)] = [:]
    private var order: [Int32] = []
    private var pending: Set<Int32> = []
    private let sent: (UnsafeRawBufferPointer) -> Void
    /// Called in a wait that finds every connection at its end.
    package var finished: (() -> Void)?

    package init(script: [UInt8], rounds: Int, sent: @escaping (UnsafeRawBufferPointer) -> Void) {
        self.script = script
        self.rounds = rounds
        self.sent = sent
    }

    func wait(into events: UnsafeMutablePointer<weir_event>, capacity: Int) -> Int {
        var count = 0
        for descriptor in order {
            guard count < capacity, let connection = connections[descriptor] else { break }
            if connection.receivedRounds >= rounds { continue }
            pending.insert(descriptor)
            events[count] = weir_event(
                flags: WEIR_EPOLLIN | WEIR_EPOLLOUT,
                data_low: UInt32(truncatingIfNeeded: connection.token),
                data_high: UInt32(truncatingIfNeeded: connection.token >> 32)
            )
            count += 1
        }
        if count == 0 { finished?() }
        return count
    }

    func add(_ descriptor: Int32, interest: PollInterest, token: UInt64) {
        guard case .connection = interest else { return }
        connections[descriptor] = (token, 0)
        order.append(descriptor)
    }

    func receive(_ descriptor: Int32, into memory: UnsafeMutableRawPointer, capacity: Int) -> TransferResult {
        guard pending.remove(descriptor) != nil, script.count <= capacity else { return .wouldBlock }
        connections[descriptor]?.receivedRounds += 1
        script.withUnsafeBytes { memory.copyMemory(from: $0.baseAddress ?? UnsafeRawPointer(memory), byteCount: $0.count) }
        return .bytes(script.count)
    }

    func send(_ descriptor: Int32, _ bytes: UnsafeRawPointer, count: Int) -> TransferResult {
        sent(UnsafeRawBufferPointer(start: bytes, count: count))
        return .bytes(count)
    }
}
