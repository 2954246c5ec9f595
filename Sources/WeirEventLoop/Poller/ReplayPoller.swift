// SPDX-License-Identifier: Apache-2.0
// A poller without a kernel: every connection receives a fixed list of bytes over and over, and what is sent is
// handed to the test. It makes instruction counts exact and repeatable.

import CWeirSystem

/// Replays `script` to each connection `rounds` times, then reports the end of input. Connections that the loop makes
/// itself stand at once, and what is sent on one is answered.
///
/// Confined to its loop's thread (`@unchecked Sendable` so that it can be handed to that thread once). It keeps plain
/// arrays, so that what is counted is the engine and not the replay.
package final class ReplayPoller: @unchecked Sendable {
    private struct Connection {
        let token: UInt64
        let descriptor: Int32
        /// How often it receives; each time once more for one that the loop made and sends on.
        var roundsLeft: Int
        /// An event was reported, its bytes were not yet received.
        var isPending = false
        /// The loop made it, and was told so or not.
        var isOutbound = false
        var isConnecting = false
        /// A client that waits for what it asked an endpoint for. Without endpoints nobody waits: what is asked is
        /// answered in the same turn.
        var awaitsAnswer = false
    }

    private static let connectionsMax = 64
    /// Descriptors that do not exist, so that closing one closes nothing: this one and those below.
    private static let outboundDescriptor: Int32 = -1000

    private let script: UnsafeMutableRawBufferPointer
    private let answer: UnsafeMutableRawBufferPointer
    private let rounds: Int
    private let connections: UnsafeMutablePointer<Connection>
    private var count = 0
    private let sent: (UnsafeRawBufferPointer) -> Void
    /// Called in a wait that finds every connection at its end.
    package var finished: (() -> Void)?

    /// - Parameters:
    ///   - answer: what endpoints send for each piece that they are sent, which is one whole request; empty for none.
    ///   - sent: called with each piece that clients are sent.
    package init(
        script bytes: [UInt8],
        rounds: Int,
        answer answerBytes: [UInt8] = [],
        sent: @escaping (UnsafeRawBufferPointer) -> Void
    ) {
        script = .allocate(byteCount: bytes.count, alignment: 16)
        script.copyBytes(from: bytes)
        answer = .allocate(byteCount: answerBytes.count, alignment: 16)
        answer.copyBytes(from: answerBytes)
        connections = .allocate(capacity: Self.connectionsMax)
        self.rounds = rounds
        self.sent = sent
    }

    deinit {
        script.deallocate()
        answer.deallocate()
        connections.deallocate()
    }

    /// Rounds that clients have not received.
    package var roundsLeft: Int {
        (0..<count).reduce(0) { $0 + (connections[$1].isOutbound ? 0 : connections[$1].roundsLeft) }
    }

    func wait(into events: UnsafeMutablePointer<weir_event>, capacity: Int) -> Int {
        var reported = 0
        var index = 0
        while index < count, reported < capacity {
            let connection = connections + index
            index += 1
            if connection.pointee.isConnecting {
                connection.pointee.isConnecting = false
                events[reported] = weir_event_make(WEIR_EPOLLOUT, connection.pointee.token)
                reported += 1
                continue
            }
            guard connection.pointee.roundsLeft > 0, !connection.pointee.awaitsAnswer else { continue }
            // What the loop has closed would be reported for ever.
            if connection.pointee.isOutbound, connection.pointee.isPending { continue }
            connection.pointee.isPending = true
            events[reported] = weir_event_make(WEIR_EPOLLIN | WEIR_EPOLLOUT, connection.pointee.token)
            reported += 1
        }
        if reported == 0, count > 0 { finished?() }
        return reported
    }

    /// The descriptor of a connection that the loop makes, to be added next.
    func connect() -> Int32 { Self.outboundDescriptor - Int32(count) }

    func add(_ descriptor: Int32, interest: PollInterest, token: UInt64) {
        guard case .connection = interest else { return }
        precondition(count < Self.connectionsMax, "a replay has at most \(Self.connectionsMax) connections")
        let isOutbound = descriptor <= Self.outboundDescriptor
        (connections + count).initialize(
            to: Connection(
                token: token,
                descriptor: descriptor,
                roundsLeft: isOutbound ? 0 : rounds,
                isOutbound: isOutbound,
                isConnecting: isOutbound
            )
        )
        count += 1
    }

    func receive(_ descriptor: Int32, into memory: UnsafeMutableRawPointer, capacity: Int) -> TransferResult {
        guard let connection = find(descriptor), connection.pointee.isPending else { return .wouldBlock }
        let bytes = connection.pointee.isOutbound ? answer : script
        guard bytes.count <= capacity, let source = bytes.baseAddress else { return .wouldBlock }
        connection.pointee.isPending = false
        connection.pointee.roundsLeft -= 1
        connection.pointee.awaitsAnswer = !answer.isEmpty && !connection.pointee.isOutbound
        memory.copyMemory(from: source, byteCount: bytes.count)
        return .bytes(bytes.count)
    }

    func send(_ descriptor: Int32, _ bytes: UnsafeRawPointer, count: Int) -> TransferResult {
        if !answer.isEmpty, let connection = find(descriptor) {
            connection.pointee.awaitsAnswer = false
            if connection.pointee.isOutbound {
                connection.pointee.roundsLeft += 1
                return .bytes(count)
            }
        }
        sent(UnsafeRawBufferPointer(start: bytes, count: count))
        return .bytes(count)
    }

    func send(
        _ descriptor: Int32,
        _ before: UnsafeRawBufferPointer,
        _ bytes: UnsafeRawBufferPointer,
        _ behind: UnsafeRawBufferPointer
    ) -> TransferResult {
        func sendOne(_ piece: UnsafeRawBufferPointer) {
            if let base = piece.baseAddress, !piece.isEmpty { _ = send(descriptor, base, count: piece.count) }
        }
        sendOne(before)
        sendOne(bytes)
        sendOne(behind)
        return .bytes(before.count + bytes.count + behind.count)
    }

    private func find(_ descriptor: Int32) -> UnsafeMutablePointer<Connection>? {
        var index = 0
        while index < count, connections[index].descriptor != descriptor { index += 1 }
        return index < count ? connections + index : nil
    }
}
