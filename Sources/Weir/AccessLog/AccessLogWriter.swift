// SPDX-License-Identifier: Apache-2.0
// The work of the access log's thread: takes records out of the rings, makes lines of them, writes them in batches.

import Glibc
import Synchronization
import WeirEventLoop

/// The thread's part of the access log, and what others tell it.
final class AccessLogWriter: Sendable {
    /// How long a line waits at most before it is written, if the ring does not pass half before.
    private static let pauseMilliseconds: Int32 = 100
    /// How long an output may take nothing before the thread looks whether it is to end.
    private static let patienceMilliseconds: Int32 = 50
    /// How often the path of a file is looked at.
    private static let inspectionNanoseconds: Nanoseconds = 1_000_000_000

    /// One for each loop; others are added when a loop is.
    let rings: Mutex<[AccessRing]>
    let wake: LogWake
    /// Relaxed: a statistic that publishes nothing.
    let droppedLines = Atomic<UInt64>(0)
    private let output: AccessLogOutput
    private let format: Settings.LogFormat
    private let routes: IndexedNames
    private let endpoints: IndexedNames
    /// When the thread gives up what it could not write, on the monotonic clock; 0 while it is not to end.
    private let endsAt = Atomic<Nanoseconds>(0)
    private let hasEnded = Monitor(false)

    init(
        rings: [AccessRing],
        wake: LogWake,
        output: AccessLogOutput,
        format: Settings.LogFormat,
        routes: IndexedNames,
        endpoints: IndexedNames
    ) {
        self.rings = Mutex(rings)
        self.wake = wake
        self.output = output
        self.format = format
        self.routes = routes
        self.endpoints = endpoints
    }

    // MARK: Anybody's

    /// Has the thread write what has been recorded until now, and end. Returns when it has, or a little after the time
    /// is over.
    func close(timeout: Duration) {
        // Release, for what was recorded before; pairs with the acquire in `run`.
        endsAt.store(LoopClock.monotonic.now &+ max(1, timeout.nanosecondsClamped), ordering: .releasing)
        wake.wake()
        let patience = Duration.milliseconds(Self.patienceMilliseconds) * 2
        _ = hasEnded.wait(timeout: timeout + patience) { $0 ? true : nil }
    }

    // MARK: The thread's

    /// Writes until it is told to end.
    func run() {
        var formatter = AccessFormatter(format: format, routes: routes, endpoints: endpoints)
        var buffer = LineBuffer()
        var isMidLine = false
        var inspectsAt: Nanoseconds = 0
        while true {
            // Before the rings are looked at: what was recorded before the end was asked for is in them.
            let isLast = endsAt.load(ordering: .acquiring) != 0
            let now = LoopClock.monotonic.now
            if now >= inspectsAt {
                inspectsAt = now &+ Self.inspectionNanoseconds
                output.reopenIfMoved()
            }
            let rings = rings.withLock { $0 }
            drain(rings, &formatter, &buffer, &isMidLine)
            if isLast { break }
            wake.sleep(milliseconds: Self.pauseMilliseconds) {
                rings.contains(where: \.isHalfFull) || endsAt.load(ordering: .relaxed) != 0
            }
        }
        hasEnded.change { hasEnded in
            hasEnded = true
            return true
        }
    }

    /// Writes what the rings hold now.
    private func drain(
        _ rings: [AccessRing],
        _ formatter: inout AccessFormatter,
        _ buffer: inout LineBuffer,
        _ isMidLine: inout Bool
    ) {
        let wallOffset = Self.wallOffset()
        for ring in rings {
            ring.look()
            while let record = ring.next() {
                formatter.append(record, wallOffset: wallOffset, to: &buffer)
                if !buffer.hasRoomForLine {
                    ring.release()
                    flush(&buffer, &isMidLine)
                }
            }
            ring.release()
        }
        flush(&buffer, &isMidLine)
    }

    /// The wall clock may be set; so what lies between it and the loops' clock is asked for each time.
    private static func wallOffset() -> UInt64 {
        var time = timespec()
        clock_gettime(CLOCK_REALTIME, &time)
        let wall = UInt64(time.tv_sec) &* 1_000_000_000 &+ UInt64(time.tv_nsec)
        return wall &- LoopClock.monotonic.now
    }

    /// Writes the lines in the buffer, or drops them if that fails or takes until the end.
    private func flush(_ buffer: inout LineBuffer, _ isMidLine: inout Bool) {
        let lines = buffer.bytes
        guard !lines.isEmpty else { return }
        // What follows a line that was cut off must not become a part of it.
        if isMidLine, let end = Self.lineEnd(), write(end) { isMidLine = false }
        var rest = lines
        while !isMidLine, !rest.isEmpty, let count = writeSome(rest) {
            rest = UnsafeRawBufferPointer(rebasing: rest[count...])
        }
        if !rest.isEmpty {
            // A line that was written in part counts too: its end is in the rest.
            droppedLines.add(UInt64(rest.count { $0 == UInt8(ascii: "\n") }), ordering: .relaxed)
            let written = lines.count - rest.count
            if written > 0 { isMidLine = lines[written - 1] != UInt8(ascii: "\n") }
        }
        buffer.removeAll()
    }

    private static func lineEnd() -> UnsafeRawBufferPointer? {
        let text: StaticString = "\n"
        return UnsafeRawBufferPointer(start: text.utf8Start, count: 1)
    }

    private func write(_ bytes: UnsafeRawBufferPointer) -> Bool {
        writeSome(bytes) == bytes.count
    }

    /// Writes what the output takes, which is waited for until the end; nil if it fails.
    private func writeSome(_ bytes: UnsafeRawBufferPointer) -> Int? {
        while true {
            switch output.write(bytes) {
            case .written(let count): return count
            case .failed: return nil
            case .full:
                if isOutOfTime { return nil }
                output.waitForRoom(milliseconds: Self.patienceMilliseconds)
            }
        }
    }

    private var isOutOfTime: Bool {
        let end = endsAt.load(ordering: .relaxed)
        return end != 0 && end <= LoopClock.monotonic.now
    }
}
