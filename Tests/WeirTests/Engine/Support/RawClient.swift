// SPDX-License-Identifier: Apache-2.0
// A client that decides which bytes go out together.

import Glibc
import Testing
import WeirEventLoop

/// A blocking connection to a listening app.
final class RawClient {
    struct Refused: Error {}

    private var descriptor: Int32

    /// Connects to `127.0.0.1:port` or `unix:/path`, as the app's log names it.
    init(_ address: String) throws {
        if address.hasPrefix("unix:") {
            descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            var target = sockaddr_un()
            target.sun_family = sa_family_t(AF_UNIX)
            withUnsafeMutableBytes(of: &target.sun_path) { $0.copyBytes(from: address.utf8.dropFirst(5).prefix(107)) }
            try connect(target)
        } else {
            let parts = address.split(separator: ":")
            descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
            var target = sockaddr_in()
            target.sin_family = sa_family_t(AF_INET)
            target.sin_port = try #require(UInt16(parts[1])).bigEndian
            target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            try connect(target)
        }
        bePatient()
    }

    /// Takes over a connection that is there.
    init(descriptor: Int32) {
        self.descriptor = descriptor
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) & ~O_NONBLOCK)
        bePatient()
    }

    /// Only so that a failed test ends.
    private func bePatient() {
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit { close() }

    func close() {
        if descriptor >= 0 { _ = Glibc.close(descriptor) }
        descriptor = -1
    }

    func send(_ bytes: some Collection<UInt8>) {
        let bytes = [UInt8](bytes)
        var sent = 0
        while sent < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.send(descriptor, $0.baseAddress! + sent, $0.count - sent, Int32(MSG_NOSIGNAL))
            }
            if count <= 0 { return }
            sent += count
        }
    }

    func send(_ text: String) { send(Array(text.utf8)) }

    func endSending() { _ = shutdown(descriptor, Int32(SHUT_WR)) }

    /// Waits until the app has taken all that was sent (Unix sockets only).
    func waitUntilTaken() {
        var unread: Int32 = 1
        while ioctl(descriptor, UInt(TIOCOUTQ), &unread) == 0, unread > 0 { sched_yield() }
    }

    /// What comes next; empty at the end.
    func receive() async -> [UInt8] {
        await receive(until: 1)
    }

    func receiveToEnd() async -> [UInt8] { await receive(until: .max) }

    /// At least so many bytes, fewer at the end. A thread of its own waits, because those of tests are few.
    func receive(until count: Int) async -> [UInt8] {
        let descriptor = descriptor
        return await withCheckedContinuation { continuation in
            do throws(SystemCallError) {
                _ = try SystemThread.start {
                    var all: [UInt8] = []
                    var piece = [UInt8](repeating: 0, count: 65536)
                    while all.count < count {
                        let got = recv(descriptor, &piece, piece.count, 0)
                        if got < 0, errno == EAGAIN { Issue.record("the app neither sends nor ends") }
                        if got <= 0 { break }
                        all += piece[..<got]
                    }
                    continuation.resume(returning: all)
                }
            } catch {
                continuation.resume(returning: [])
            }
        }
    }

    private func connect<Address>(_ address: Address) throws {
        let result = withUnsafePointer(to: address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.connect(descriptor, $0, socklen_t(MemoryLayout<Address>.size))
            }
        }
        if result != 0 { throw Refused() }
    }
}
