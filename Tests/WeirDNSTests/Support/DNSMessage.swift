// SPDX-License-Identifier: Apache-2.0
// Messages of a name server, written out (RFC 1035 section 4).

import Glibc

struct DNSRecord {
    enum Kind: UInt16, CaseIterable {
        case ipv4 = 1
        case alias = 5
        case ipv6 = 28
        case service = 33
    }

    let kind: Kind
    let timeToLive: UInt32
    let data: [UInt8]

    static func ipv4(_ text: String, _ timeToLive: UInt32 = 60) -> DNSRecord {
        DNSRecord(kind: .ipv4, timeToLive: timeToLive, data: text.split(separator: ".").compactMap { UInt8($0) })
    }

    static func ipv6(_ text: String, _ timeToLive: UInt32 = 60) -> DNSRecord {
        var address = in6_addr()
        inet_pton(AF_INET6, text, &address)
        return DNSRecord(kind: .ipv6, timeToLive: timeToLive, data: withUnsafeBytes(of: address) { Array($0) })
    }

    static func alias(_ target: String, _ timeToLive: UInt32 = 60) -> DNSRecord {
        DNSRecord(kind: .alias, timeToLive: timeToLive, data: DNSMessage.name(target))
    }

    static func service(
        _ target: String,
        port: UInt16,
        priority: UInt16 = 0,
        weight: UInt16 = 1,
        _ timeToLive: UInt32 = 60
    ) -> DNSRecord {
        let numbers = [priority, weight, port].flatMap(DNSMessage.two)
        return DNSRecord(kind: .service, timeToLive: timeToLive, data: numbers + DNSMessage.name(target))
    }
}

enum DNSMessage {
    /// The answer to `query`, whose question is `asking`.
    static func bytes(
        _ query: [UInt8],
        _ asking: [UInt8],
        _ records: [DNSRecord],
        code: UInt8 = 0,
        isTruncated: Bool = false
    ) -> [UInt8] {
        let flags: [UInt8] = [0x84 | (isTruncated ? 2 : 0) | query[2] & 1, 0x80 | code]
        let head = query[..<2] + flags + two(1) + two(UInt16(records.count)) + two(0) + two(0)
        // Behind an alias the records have its name; the first has the question's, as a pointer to it.
        var owner: [UInt8] = [0xC0, 12]
        var body: [UInt8] = []
        for record in records {
            body += owner + two(record.kind.rawValue) + two(1)
            body += two(UInt16(record.timeToLive >> 16)) + two(UInt16(record.timeToLive & 0xFFFF))
            body += two(UInt16(record.data.count)) + record.data
            if record.kind == .alias { owner = record.data }
        }
        return head + asking + body
    }

    /// An answer to a question for services that nobody has asked.
    static func services(_ name: String, _ records: [DNSRecord]) -> [UInt8] {
        bytes([0, 1, 1], Self.name(name) + two(DNSRecord.Kind.service.rawValue) + two(1), records)
    }

    static func name(_ text: String) -> [UInt8] {
        text.split(separator: ".").flatMap { [UInt8($0.utf8.count)] + Array($0.utf8) } + [0]
    }

    static func two(_ number: UInt16) -> [UInt8] { [UInt8(number >> 8), UInt8(number & 255)] }
}
