// SPDX-License-Identifier: Apache-2.0
// A service manager as libsystemd sees one: a datagram socket that NOTIFY_SOCKET names. The environment is the whole
// process's, so it is for tests that run in a process of their own.

import Glibc
import Testing

/// Takes the messages that a service sends.
final class FakeManager: Sendable {
    private let descriptor: Int32

    /// Binds an abstract socket, and sets `NOTIFY_SOCKET`.
    init() throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        try #require(descriptor >= 0)
        // With only the family given, the kernel chooses an abstract address: five digits behind a zero (unix(7)).
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        var length = socklen_t(MemoryLayout<sa_family_t>.size)
        let name = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { pointer -> String? in
                guard bind(descriptor, pointer, length) == 0 else { return nil }
                length = socklen_t(MemoryLayout<sockaddr_un>.size)
                guard getsockname(descriptor, pointer, &length) == 0 else { return nil }
                return String(decoding: UnsafeRawBufferPointer(start: pointer, count: Int(length))[3...], as: UTF8.self)
            }
        }
        setenv("NOTIFY_SOCKET", "@\(try #require(name))", 1)
        // Only so that a failed test ends.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close(descriptor) }

    /// The next message; waits for one.
    func next() throws -> String { try #require(receive(flags: 0), "no message came") }

    /// The next message that is neither a sign of life nor a mere status.
    func nextState() throws -> String {
        while true {
            let message = try next()
            if message != "WATCHDOG=1", !message.hasPrefix("STATUS=") { return message }
        }
    }

    /// What has come and was not asked for yet.
    var rest: [String] {
        var messages: [String] = []
        while let message = receive(flags: Int32(MSG_DONTWAIT)) { messages.append(message) }
        return messages
    }

    private func receive(flags: Int32) -> String? {
        var bytes = [UInt8](repeating: 0, count: 4096)
        let count = recv(descriptor, &bytes, bytes.count, flags)
        return count >= 0 ? String(decoding: bytes[..<count], as: UTF8.self) : nil
    }
}
