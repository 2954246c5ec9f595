// SPDX-License-Identifier: Apache-2.0
// A name server in the test's hands, by UDP and TCP on one loopback port. It answers when it is told to serve.

import Glibc
import Testing
import WeirEventLoop

final class TestNameServer {
    enum Answer {
        case records([DNSRecord])
        /// As `records`, but by UDP only the word that there is more.
        case truncated([DNSRecord])
        case notFound
        case serverFailure
        case silence
    }

    struct Question: Hashable {
        let name: String
        let type: DNSRecord.Kind
    }

    let address: SocketAddress
    /// What there is; of everything else there is no such name.
    var answers: [Question: Answer] = [:]
    /// What was asked, in order.
    private(set) var asked: [(question: Question, isTCP: Bool)] = []
    private let datagrams: Int32
    private let listener: Int32
    private var connections: [(descriptor: Int32, received: [UInt8])] = []

    init() throws {
        // Both at the same port: the kernel chooses it for one, and the other may find it taken.
        for _ in 0..<20 {
            let loopback = SocketAddress.ipv4(0x7F00_0001, port: 0)
            let (listener, address) = try Listener.bind(
                loopback,
                options: ListenerOptions(backlog: 16),
                reusesPort: false
            )
            let datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue | SOCK_NONBLOCK.rawValue), 0)
            var local = sockaddr_in()
            local.sin_family = sa_family_t(AF_INET)
            local.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
            local.sin_port = (address.port ?? 0).bigEndian
            let result = withUnsafePointer(to: &local) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(datagrams, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
                }
            }
            if result == 0 {
                (self.listener, self.datagrams, self.address) = (listener, datagrams, address)
                return
            }
            close(listener)
            close(datagrams)
        }
        throw SystemCallError("bind", errno: EADDRINUSE)
    }

    deinit {
        for connection in connections { close(connection.descriptor) }
        close(listener)
        close(datagrams)
    }

    /// All that a name has; kinds without a record have none.
    func set(_ name: String, _ records: DNSRecord..., truncatedByUDP: Bool = false) {
        for kind in DNSRecord.Kind.allCases {
            let matching = records.filter { $0.kind == kind || $0.kind == .alias }
            answers[Question(name: name, type: kind)] = truncatedByUDP ? .truncated(matching) : .records(matching)
        }
    }

    func set(_ name: String, _ answer: Answer) {
        for kind in DNSRecord.Kind.allCases { answers[Question(name: name, type: kind)] = answer }
    }

    func count(_ name: String) -> Int { asked.count { $0.question.name == name } }

    /// Answers what has come until now.
    func serve() {
        serveDatagrams()
        while true {
            let accepted = accept(listener, nil, nil)
            guard accepted >= 0 else { break }
            connections.append((accepted, []))
        }
        for index in connections.indices { serveConnection(index) }
    }

    private func serveDatagrams() {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            var peer = sockaddr_storage()
            var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
            let count = withUnsafeMutablePointer(to: &peer) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { peer in
                    let count = recvfrom(datagrams, &bytes, bytes.count, Int32(MSG_DONTWAIT), peer, &length)
                    if count > 0, let reply = reply(to: Array(bytes[..<count]), isTCP: false) {
                        _ = sendto(datagrams, reply, reply.count, 0, peer, length)
                    }
                    return count
                }
            }
            guard count > 0 else { return }
        }
    }

    /// Messages with their lengths in front (RFC 1035 section 4.2.2).
    private func serveConnection(_ index: Int) {
        var bytes = [UInt8](repeating: 0, count: 4096)
        while true {
            let count = recv(connections[index].descriptor, &bytes, bytes.count, Int32(MSG_DONTWAIT))
            guard count > 0 else { break }
            connections[index].received += bytes[..<count]
        }
        while connections[index].received.count >= 2 {
            let received = connections[index].received
            let count = Int(received[0]) << 8 | Int(received[1])
            guard received.count >= count + 2 else { return }
            connections[index].received.removeFirst(count + 2)
            guard let reply = reply(to: Array(received[2..<(count + 2)]), isTCP: true) else { continue }
            let framed = [UInt8(reply.count >> 8), UInt8(reply.count & 255)] + reply
            // In two pieces: a client must not take one segment for one message.
            for piece in [framed[..<1], framed[1...]] {
                _ = Array(piece).withUnsafeBytes {
                    send(connections[index].descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
                }
            }
        }
    }

    private func reply(to query: [UInt8], isTCP: Bool) -> [UInt8]? {
        var end = 12
        var labels: [String] = []
        while query[end] != 0 {
            labels.append(String(decoding: query[(end + 1)...(end + Int(query[end]))], as: UTF8.self))
            end += Int(query[end]) + 1
        }
        end += 5
        guard let kind = DNSRecord.Kind(rawValue: UInt16(query[end - 3])) else { return nil }
        let question = Question(name: labels.joined(separator: ".").lowercased(), type: kind)
        asked.append((question, isTCP))
        let asking = Array(query[12..<end])
        switch answers[question] ?? .notFound {
        case .silence: return nil
        case .notFound: return DNSMessage.bytes(query, asking, [], code: 3)
        case .serverFailure: return DNSMessage.bytes(query, asking, [], code: 2)
        case .truncated(let records):
            return DNSMessage.bytes(query, asking, isTCP ? records : [], isTruncated: !isTCP)
        case .records(let records): return DNSMessage.bytes(query, asking, records)
        }
    }
}
