// SPDX-License-Identifier: Apache-2.0
// The seam to the kernel: what a loop needs from it, in three verbs (wait, receive, send) and two registrations.
// A backend that completes reads itself (io_uring) fits behind the same verbs: `receive` then hands out what has
// already come.

import CWeirSystem

/// What came of one receive or send.
package enum TransferResult {
    /// So many bytes were moved; for a receive never 0.
    case bytes(Int)
    /// The peer has ended its side (receive only).
    case end
    /// Nothing can be moved now; an event follows when that changes.
    case wouldBlock
    /// The connection is broken.
    case failed(errno: Int32)
}

/// The poller behind a loop, chosen when the loop is made.
package enum Poller {
    case epoll(EpollPoller)
    /// Unmanaged, so that a switch on the hot path counts no reference; whoever made it keeps it.
    case replay(Unmanaged<ReplayPoller>)

    /// Fills `events`, waiting at most `timeoutMilliseconds` (-1 waits for ever); an interrupted wait gives 0.
    @inline(__always)
    func wait(into events: UnsafeMutablePointer<weir_event>, capacity: Int, timeoutMilliseconds: Int32) -> Int {
        switch self {
        case .epoll(let poller): poller.wait(into: events, capacity: capacity, timeoutMilliseconds: timeoutMilliseconds)
        case .replay(let poller): poller._withUnsafeGuaranteedRef { $0.wait(into: events, capacity: capacity) }
        }
    }

    /// Watches `descriptor`; its events carry `token`.
    func add(_ descriptor: Int32, interest: PollInterest, token: UInt64) throws(SystemCallError) {
        switch self {
        case .epoll(let poller): try poller.add(descriptor, interest: interest, token: token)
        case .replay(let poller):
            poller._withUnsafeGuaranteedRef { $0.add(descriptor, interest: interest, token: token) }
        }
    }

    /// Watches `descriptor`, which is watched already, for something else.
    func change(_ descriptor: Int32, interest: PollInterest, token: UInt64) throws(SystemCallError) {
        switch self {
        case .epoll(let poller): try poller.change(descriptor, interest: interest, token: token)
        case .replay: break
        }
    }

    /// Stops watching `descriptor`, which stays open.
    func remove(_ descriptor: Int32) {
        switch self {
        case .epoll(let poller): poller.remove(descriptor)
        case .replay: break
        }
    }

    /// The descriptor of a connection to any address, which is on its way; nil where the kernel makes them.
    func connect() -> Int32? {
        switch self {
        case .epoll: nil
        case .replay(let poller): poller._withUnsafeGuaranteedRef { $0.connect() }
        }
    }

    /// Takes bytes that have come.
    @inline(__always)
    func receive(_ descriptor: Int32, into memory: UnsafeMutableRawPointer, capacity: Int) -> TransferResult {
        switch self {
        case .epoll: EpollPoller.receive(descriptor, into: memory, capacity: capacity)
        case .replay(let poller):
            poller._withUnsafeGuaranteedRef { $0.receive(descriptor, into: memory, capacity: capacity) }
        }
    }

    /// Gives bytes to the kernel; it may take fewer than `count`. Where there is more to come at once, they go out with it.
    @inline(__always)
    func send(
        _ descriptor: Int32,
        _ bytes: UnsafeRawPointer,
        count: Int,
        hasMore: Bool = false
    ) -> TransferResult {
        switch self {
        case .epoll: EpollPoller.send(descriptor, bytes, count: count, hasMore: hasMore)
        case .replay(let poller): poller._withUnsafeGuaranteedRef { $0.send(descriptor, bytes, count: count) }
        }
    }

    /// Gives bytes to the kernel in one call with the few that stand before and behind them; it may take fewer than all.
    func send(
        _ descriptor: Int32,
        _ before: UnsafeRawBufferPointer,
        _ bytes: UnsafeRawBufferPointer,
        _ behind: UnsafeRawBufferPointer
    ) -> TransferResult {
        if before.isEmpty, behind.isEmpty, let base = bytes.baseAddress {
            return send(descriptor, base, count: bytes.count)
        }
        return switch self {
        case .epoll: EpollPoller.send(descriptor, before, bytes, behind)
        case .replay(let poller): poller._withUnsafeGuaranteedRef { $0.send(descriptor, before, bytes, behind) }
        }
    }

    /// Whether something has come that was not received; a system call, for rare decisions.
    func hasInput(_ descriptor: Int32) -> Bool {
        switch self {
        case .epoll: weir_has_input(descriptor) != 0
        case .replay: false
        }
    }

    /// Bytes that were sent and that the peer has not acknowledged; a system call, for rare decisions.
    func unacknowledgedByteCount(_ descriptor: Int32) -> Int {
        switch self {
        case .epoll: max(0, Int(weir_unacknowledged(descriptor)))
        case .replay: 0
        }
    }

    /// Ends what the poller itself holds; descriptors that it watched stay open.
    func close() {
        if case .epoll(let poller) = self { poller.close() }
    }
}

/// What a descriptor is watched for.
package enum PollInterest {
    /// A connection: both directions, reported once per change (edge-triggered), registered once for its life.
    case connection
    /// Readable, reported as long as it is so.
    case readable
    /// A listener that several loops watch: one of them is woken.
    case sharedListener
    /// Somebody else's descriptor, reported as long as it is so.
    case watched(DescriptorWatch.Interest)
}
