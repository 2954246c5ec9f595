// SPDX-License-Identifier: Apache-2.0
// Commands to bytes, by hiredis. Owned by a limiter, on its loop's thread.

import CHiredis
import WeirEventLoop

/// Collects the arguments of one command, and queues it on a channel.
struct CommandWriter: ~Copyable {
    private static let argumentsMax = 8

    /// The arguments' bytes one behind the other; the memory stays from command to command.
    private var bytes: [UInt8] = []
    private var count = 0
    private let lengths: UnsafeMutablePointer<Int>
    private let arguments: UnsafeMutablePointer<UnsafePointer<CChar>?>

    init() {
        bytes.reserveCapacity(512)
        lengths = .allocate(capacity: Self.argumentsMax)
        arguments = .allocate(capacity: Self.argumentsMax)
    }

    deinit {
        lengths.deallocate()
        arguments.deallocate()
    }

    mutating func add(_ text: some Sequence<UInt8>) {
        add { $0.append(contentsOf: text) }
    }

    /// A number in decimal digits.
    mutating func add(_ number: UInt64) {
        add { bytes in
            var power: UInt64 = 1
            while number / power >= 10 { power *= 10 }
            while power > 0 {
                bytes.append(UInt8(ascii: "0") + UInt8(number / power % 10))
                power /= 10
            }
        }
    }

    /// The name of a limit's key.
    mutating func add(_ prefix: [UInt8], _ key: RedisKey) {
        add { bytes in
            bytes.append(contentsOf: prefix)
            for shift in stride(from: 60, through: 0, by: -4) { bytes.append(Self.digit(key.high >> UInt64(shift))) }
            for shift in stride(from: 60, through: 0, by: -4) { bytes.append(Self.digit(key.low >> UInt64(shift))) }
        }
    }

    /// The lowest four bits as a hexadecimal digit.
    private static func digit(_ word: UInt64) -> UInt8 {
        let value = UInt8(word & 15)
        return value < 10 ? UInt8(ascii: "0") + value : UInt8(ascii: "a") + value - 10
    }

    private mutating func add(_ append: (inout [UInt8]) -> Void) {
        precondition(count < Self.argumentsMax, "a command has at most \(Self.argumentsMax) arguments")
        let start = bytes.count
        append(&bytes)
        lengths[count] = bytes.count - start
        count += 1
    }

    /// Queues the command that was collected, and begins the next.
    mutating func send(to channel: Channel, on loop: EventLoop) {
        bytes.withUnsafeBufferPointer { bytes in
            var next = UnsafeRawPointer(bytes.baseAddress)?.assumingMemoryBound(to: CChar.self)
            for index in 0..<count {
                arguments[index] = next
                next = next.map { $0 + lengths[index] }
            }
            var command: UnsafeMutablePointer<CChar>?
            let byteCount = redisFormatCommandArgv(&command, Int32(count), arguments, lengths)
            guard let command, byteCount > 0 else { preconditionFailure("no memory for a command") }
            loop.send(channel, UnsafeRawBufferPointer(start: command, count: Int(byteCount)))
            redisFreeCommand(command)
        }
        bytes.removeAll(keepingCapacity: true)
        count = 0
    }
}
