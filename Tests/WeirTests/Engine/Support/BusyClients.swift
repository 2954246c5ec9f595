// SPDX-License-Identifier: Apache-2.0
// Clients that ask one request after the other on kept connections, as well-behaved ones do, and note what became of each.

import Glibc
import Synchronization
import WeirEventLoop

/// Threads that ask until they are told to stop. A connection whose answer said that it ends is replaced.
final class BusyClients: Sendable {
    struct Seen: Sendable {
        var answers = 0
        /// Requests without a whole answer of 200.
        var failures: [String] = []
        /// What the last answer of each client was.
        var latest: [Int: String] = [:]
    }

    private let address: String
    private let asked: [UInt8]
    private let stops = Atomic<Bool>(false)
    private let running: Atomic<Int>
    private let seen = Mutex(Seen())

    init(_ count: Int, at address: String, asking target: String) throws {
        self.address = address
        asked = Array("GET \(target) HTTP/1.1\r\nHost: h\r\n\r\n".utf8)
        running = Atomic(count)
        for client in 0..<count {
            _ = try SystemThread.start { [self] in
                run(client)
                running.wrappingSubtract(1, ordering: .releasing)
            }
        }
    }

    var present: Seen { seen.withLock { $0 } }

    /// Ends the clients; answers what they saw.
    func stop() async -> Seen {
        stops.store(true, ordering: .relaxed)
        _ = await eventuallyTrue { running.load(ordering: .acquiring) == 0 }
        return present
    }

    private func run(_ client: Int) {
        var connection: BlockingConnection?
        while !stops.load(ordering: .relaxed) {
            connection = connection ?? BlockingConnection(address)
            guard let answer = connection?.ask(asked) else {
                seen.withLock { $0.failures.append("client \(client) got no whole answer") }
                connection = nil
                continue
            }
            seen.withLock { seen in
                seen.answers += 1
                seen.latest[client] = answer.text
                if answer.status != 200 { seen.failures.append("client \(client) got \(answer.status)") }
            }
            if answer["Connection"] == "close" { connection = nil }
        }
    }
}

/// A TCP connection of a client thread that may block.
private final class BlockingConnection {
    private let descriptor: Int32

    init?(_ address: String) {
        guard let port = address.split(separator: ":").last.flatMap({ UInt16($0) }) else { return nil }
        descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var target = sockaddr_in()
        target.sin_family = sa_family_t(AF_INET)
        target.sin_port = port.bigEndian
        target.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        let isConnected = withUnsafePointer(to: target) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
        guard isConnected else { return nil }
        // Only so that a failed test ends.
        var patience = timeval(tv_sec: 20, tv_usec: 0)
        setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &patience, socklen_t(MemoryLayout<timeval>.size))
    }

    deinit {
        if descriptor >= 0 { close(descriptor) }
    }

    /// The whole answer; nil if the connection ends before it.
    func ask(_ bytes: [UInt8]) -> WireResponse? {
        guard send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else { return nil }
        var all: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count > 0 else { return nil }
            all += piece[..<count]
            if let answer = try? WireResponse.all(in: all).first, answer.isWhole { return answer }
        }
    }
}
