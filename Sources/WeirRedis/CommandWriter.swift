// SPDX-License-Identifier: Apache-2.0
// Commands to bytes, by hiredis. Owned by a limiter, on its loop's thread.

import CHiredis
import WeirEventLoop
import WeirFlow

/// Collects the arguments of one command, and queues it on a channel.
struct CommandWriter: ~Copyable {
    /// A command, a script and the number of its keys; for each limit a key, a price and a tolerance.
    private static let argumentsMax = 3 + 3 * StoreLimit.perRequestMax

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

    /// The name of a state: `weir:"limit"`, or `weir:"limit":key`. Names of limits have no quotes, so that no key can
    /// make one limit's name of another's.
    mutating func add(_ prefix: [UInt8], _ key: UnsafeRawBufferPointer?) {
        add { bytes in
            bytes.append(contentsOf: prefix)
            guard let key else { return }
            bytes.append(UInt8(ascii: ":"))
            bytes.append(contentsOf: key)
        }
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
