// SPDX-License-Identifier: Apache-2.0
// A protocol for tests: writes down what its channel's loop calls, and does what the test tells it to.

import WeirEventLoop

/// The state behind one channel.
///
/// `@unchecked Sendable`: confined to its loop's thread; a test reads it on that thread, or when the loop has ended.
final class Recorder: @unchecked Sendable {
    private(set) var channel = Channel.none
    private(set) var address: SocketAddress?
    /// What came, call by call, whether it was taken or not.
    private(set) var deliveries: [[UInt8]] = []
    /// What was taken, in order.
    private(set) var taken: [UInt8] = []
    private(set) var connectedCount = 0
    private(set) var endedCount = 0
    private(set) var endedWhilePausedCount = 0
    private(set) var blockedCount = 0
    private(set) var drainedCount = 0
    private(set) var timeouts: [Nanoseconds] = []
    private(set) var closeReasons: [CloseReason] = []

    /// Answers how many bytes are taken.
    var onReceived: (EventLoop, Channel, [UInt8]) -> Int = { _, _, bytes in bytes.count }
    var onConnected: (EventLoop, Channel) -> Void = { _, _ in }
    var onEnded: (EventLoop, Channel) -> Void = { _, _ in }
    var onDrained: (EventLoop, Channel) -> Void = { _, _ in }
    var onTimedOut: (EventLoop, Channel) -> Void = { _, _ in }
    var onClosed: (EventLoop, Channel) -> Void = { _, _ in }
    var onOpened: (EventLoop, Channel) -> Void = { _, _ in }

    /// Takes bytes and sends them back.
    static func echo() -> Recorder {
        let recorder = Recorder()
        recorder.onReceived = { loop, channel, bytes in
            bytes.withUnsafeBytes { loop.send(channel, $0) }
            return bytes.count
        }
        return recorder
    }

    /// Opens a channel for this recorder; the loop holds it until `closed`.
    var opener: ChannelOpener {
        { [self] loop, channel, address in open(loop, channel, address) }
    }

    /// Opens a channel for a recorder of its own each time.
    static func opener(_ make: @escaping @Sendable () -> Recorder) -> ChannelOpener {
        { loop, channel, address in make().open(loop, channel, address) }
    }

    private func open(_ loop: EventLoop, _ channel: Channel, _ address: SocketAddress) -> UnsafePointer<ChannelEvents> {
        self.channel = channel
        self.address = address
        channel.context = Unmanaged.passRetained(self).toOpaque()
        onOpened(loop, channel)
        return Self.events
    }

    /// What a test made it do may hold this recorder.
    private func forgetBehaviour() {
        onReceived = { _, _, bytes in bytes.count }
        onConnected = { _, _ in }
        onEnded = { _, _ in }
        onDrained = { _, _ in }
        onTimedOut = { _, _ in }
        onClosed = { _, _ in }
        onOpened = { _, _ in }
    }

    private static func of(_ channel: Channel) -> Recorder {
        guard let context = channel.context else { preconditionFailure("a channel without its recorder") }
        return Unmanaged<Recorder>.fromOpaque(context).takeUnretainedValue()
    }

    /// Immutable, and never freed.
    private nonisolated(unsafe) static let events: UnsafePointer<ChannelEvents> = {
        let events = UnsafeMutablePointer<ChannelEvents>.allocate(capacity: 1)
        events.initialize(
            to: ChannelEvents(
                connected: { loop, channel in
                    of(channel).connectedCount += 1
                    of(channel).onConnected(loop, channel)
                },
                received: { loop, channel, bytes in
                    let recorder = of(channel)
                    let bytes = [UInt8](bytes)
                    recorder.deliveries.append(bytes)
                    let count = recorder.onReceived(loop, channel, bytes)
                    recorder.taken.append(contentsOf: bytes.prefix(count))
                    return count
                },
                ended: { loop, channel in
                    of(channel).endedCount += 1
                    of(channel).onEnded(loop, channel)
                },
                endedWhilePaused: { _, channel in of(channel).endedWhilePausedCount += 1 },
                blocked: { _, channel in of(channel).blockedCount += 1 },
                drained: { loop, channel in
                    of(channel).drainedCount += 1
                    of(channel).onDrained(loop, channel)
                },
                timedOut: { loop, channel in
                    of(channel).timeouts.append(loop.now)
                    of(channel).onTimedOut(loop, channel)
                },
                closed: { loop, channel, reason in
                    let recorder = of(channel)
                    recorder.closeReasons.append(reason)
                    recorder.onClosed(loop, channel)
                    recorder.forgetBehaviour()
                    // Retained in `open`; a second call would over-release, which the address sanitizer sees.
                    Unmanaged.passUnretained(recorder).release()
                }
            )
        )
        return UnsafePointer(events)
    }()
}
