// SPDX-License-Identifier: Apache-2.0
// A poller without a kernel: every connection receives a fixed list of bytes over and over, and what is sent is
// handed to the test. It makes instruction counts exact and repeatable.

import CWeirSystem

/// Replays `script` to each connection `rounds` times, then reports the end of input.
///
/// Confined to its loop's thread (`@unchecked Sendable` so that it can be handed to that thread once). It keeps plain
/// arrays, so that what is counted is the engine and not the replay.
package final class ReplayPoller: @unchecked Sendable {
    private struct Connection {
        var token: UInt64
        var descriptor: Int32
        var roundsLeft: Int
        /// An event was reported, its bytes were not yet received.
        var isPending: Bool
    }

    private static let connectionsMax = 64

    private let script: UnsafeMutableRawBufferPointer
    private let rounds: Int
    private let connections: UnsafeMutablePointer<Connection>
    private var count = 0
    private let sent: (UnsafeRawBufferPointer) -> Void
    /// Called in a wait that finds every connection at its end.
    package var finished: (() -> Void)?

    package init(script bytes: [UInt8], rounds: Int, sent: @escaping (UnsafeRawBufferPointer) -> Void) {
        script = .allocate(byteCount: bytes.count, alignment: 16)
        script.copyBytes(from: bytes)
        connections = .allocate(capacity: Self.connectionsMax)
        self.rounds = rounds
        self.sent = sent
    }

    deinit {
        script.deallocate()
        connections.deallocate()
    }

    func wait(into events: UnsafeMutablePointer<weir_event>, capacity: Int) -> Int {
        var reported = 0
        var index = 0
        while index < count, reported < capacity {
            let connection = connections + index
            index += 1
            guard connection.pointee.roundsLeft > 0 else { continue }
            connection.pointee.isPending = true
            events[reported] = weir_event(
                flags: WEIR_EPOLLIN | WEIR_EPOLLOUT,
                data_low: UInt32(truncatingIfNeeded: connection.pointee.token),
                data_high: UInt32(truncatingIfNeeded: connection.pointee.token >> 32)
            )
            reported += 1
        }
        if reported == 0, count > 0 { finished?() }
        return reported
    }

    func add(_ descriptor: Int32, interest: PollInterest, token: UInt64) {
        guard case .connection = interest else { return }
        precondition(count < Self.connectionsMax, "a replay has at most \(Self.connectionsMax) connections")
        (connections + count).initialize(
            to: Connection(token: token, descriptor: descriptor, roundsLeft: rounds, isPending: false)
        )
        count += 1
    }

    func receive(_ descriptor: Int32, into memory: UnsafeMutableRawPointer, capacity: Int) -> TransferResult {
        var index = 0
        while index < count, connections[index].descriptor != descriptor { index += 1 }
        guard index < count, connections[index].isPending, script.count <= capacity, let source = script.baseAddress
        else { return .wouldBlock }
        connections[index].isPending = false
        connections[index].roundsLeft -= 1
        memory.copyMemory(from: source, byteCount: script.count)
        return .bytes(script.count)
    }

    func send(_ descriptor: Int32, _ bytes: UnsafeRawPointer, count: Int) -> TransferResult {
        sent(UnsafeRawBufferPointer(start: bytes, count: count))
        return .bytes(count)
    }
}
