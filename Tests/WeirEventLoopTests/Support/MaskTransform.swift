// SPDX-License-Identifier: Apache-2.0
// A transform for tests, with what TLS has: a handshake, records that may come in pieces, an end that is told, faults.

import Testing
import WeirEventLoop

/// The channel's side, and the peer's by its static functions. A record is its kind, two bytes of length, and so many
/// masked bytes.
///
/// `@unchecked Sendable`: confined to its loop's thread, which in these tests is the test's.
final class MaskTransform: @unchecked Sendable {
    enum Kind: UInt8 {
        case hello = 1
        case data = 2
        case end = 3
        /// Answered by the transform itself, with as many bytes.
        case question = 4
    }

    private let loop: EventLoop
    private let channel: Channel
    private var unfinished: [UInt8] = []
    private var isEstablished = false
    private var hasGreeted = false
    private(set) var recordByteCounts: [Int] = []
    private(set) var isReleased = false

    private init(_ loop: EventLoop, _ channel: Channel) {
        self.loop = loop
        self.channel = channel
    }

    /// Puts one on a channel that is being opened.
    @discardableResult static func attach(_ loop: EventLoop, _ channel: Channel) -> MaskTransform {
        let transform = MaskTransform(loop, channel)
        loop.transform(channel, by: functions, Unmanaged.passRetained(transform).toOpaque())
        return transform
    }

    static func record(_ kind: Kind, _ content: some Collection<UInt8> = []) -> [UInt8] {
        [kind.rawValue, UInt8(content.count >> 8), UInt8(content.count & 0xFF)] + content.map { $0 ^ 0x5A }
    }

    static func data(_ text: String) -> [UInt8] { record(.data, Array(text.utf8)) }

    /// The records in the bytes; whole ones only.
    static func records(_ bytes: [UInt8]) -> [(kind: Kind, content: [UInt8])] {
        var records: [(Kind, [UInt8])] = []
        var rest = bytes[...]
        while let (kind, content) = takeRecord(&rest) { records.append((kind, content)) }
        return records
    }

    /// What the records in the bytes say.
    static func content(_ bytes: [UInt8]) -> [UInt8] { records(bytes).flatMap(\.content) }

    private static func takeRecord(_ rest: inout ArraySlice<UInt8>) -> (Kind, [UInt8])? {
        guard rest.count >= 3, let kind = Kind(rawValue: rest[rest.startIndex]) else { return nil }
        let count = Int(rest[rest.startIndex + 1]) << 8 | Int(rest[rest.startIndex + 2])
        guard rest.count >= 3 + count else { return nil }
        defer { rest = rest.dropFirst(3 + count) }
        return (kind, rest.dropFirst(3).prefix(count).map { $0 ^ 0x5A })
    }

    private func write(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { loop.sendTransformed(channel, $0) }
    }

    private func greet() {
        guard !hasGreeted else { return }
        hasGreeted = true
        write(Self.record(.hello))
    }

    private func receive(_ bytes: [UInt8], _ target: UnsafeMutableRawBufferPointer) -> TransformReceipt {
        unfinished += bytes
        var rest = unfinished[...]
        var outcome = TransformReceipt.Outcome.open
        var plain: [UInt8] = []
        while let (kind, content) = Self.takeRecord(&rest), outcome == .open {
            switch kind {
            case .hello:
                greet()
                isEstablished = true
            case .data: plain += content
            case .end: outcome = .ended
            case .question: write(Self.record(.question, content))
            }
        }
        unfinished = Array(rest)
        if let first = rest.first, Kind(rawValue: first) == nil {
            write(Array("go away".utf8))
            outcome = .failed
        }
        target.copyBytes(from: plain)
        return TransformReceipt(count: plain.count, isEstablished: isEstablished, outcome: outcome)
    }

    private static func of(_ context: UnsafeMutableRawPointer) -> MaskTransform {
        Unmanaged<MaskTransform>.fromOpaque(context).takeUnretainedValue()
    }

    /// Immutable, and never freed.
    private nonisolated(unsafe) static let functions: UnsafePointer<ChannelTransform> = {
        let functions = UnsafeMutablePointer<ChannelTransform>.allocate(capacity: 1)
        functions.initialize(
            to: ChannelTransform(
                started: { of($0).greet() },
                received: { of($0).receive([UInt8]($1), $2) },
                send: { context, bytes in
                    of(context).recordByteCounts.append(bytes.count)
                    of(context).write(record(.data, bytes))
                    return true
                },
                ended: { of($0).write(record(.end)) },
                released: { context in
                    of(context).isReleased = true
                    Unmanaged<MaskTransform>.fromOpaque(context).release()
                }
            )
        )
        return UnsafePointer(functions)
    }()
}
