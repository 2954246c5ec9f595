// SPDX-License-Identifier: Apache-2.0
// The SRV records of an answer (RFC 2782). Pure. c-ares reads them too, but drops how long they may be used.

import CCares

/// What a server says of a service.
package struct ServiceAnswer: Equatable, Sendable {
    package struct Record: Equatable, Sendable {
        package let priority: UInt16
        package let weight: UInt16
        package let port: UInt16
        /// A host's name without a final dot; empty where there decidedly is no such service.
        package let target: String

        package init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
            self.priority = priority
            self.weight = weight
            self.port = port
            self.target = target
        }
    }

    static let recordType: Int32 = 33
    private static let aliasType = 5
    private static let headByteCount = 12
    private static let classInternet = 1

    package let records: [Record]
    /// In seconds: the least of all records and of the aliases on the way to them.
    package let timeToLive: UInt32

    /// Reads a message (RFC 1035 section 4.1); nil where it is none.
    package init?(parsing bytes: [UInt8]) {
        guard bytes.count >= Self.headByteCount else { return nil }
        var reader = Reader(bytes: bytes, position: 4)
        guard let questionCount = reader.number(), let answerCount = reader.number() else { return nil }
        reader.position = Self.headByteCount
        for _ in 0..<questionCount {
            guard reader.name() != nil, reader.number() != nil, reader.number() != nil else { return nil }
        }
        var records: [Record] = []
        var timeToLive = UInt32.max
        for _ in 0..<answerCount {
            guard reader.name() != nil, let type = reader.number(), let section = reader.number(),
                let upper = reader.number(), let lower = reader.number(), let byteCount = reader.number(),
                byteCount <= bytes.count - reader.position
            else { return nil }
            let end = reader.position + byteCount
            if section == Self.classInternet, type == Int(Self.recordType) || type == Self.aliasType {
                timeToLive = min(timeToLive, UInt32(upper) << 16 | UInt32(lower))
            }
            if section == Self.classInternet, type == Int(Self.recordType) {
                guard let record = reader.record(), reader.position == end else { return nil }
                if !records.contains(record) { records.append(record) }
            }
            reader.position = end
        }
        self.records = records
        // A sign would be a mistake, and counts as 0 (RFC 2181 section 8).
        self.timeToLive = timeToLive > UInt32(Int32.max) && !records.isEmpty ? 0 : timeToLive
    }

    /// Numbers and names from the front of a message on.
    private struct Reader {
        let bytes: [UInt8]
        var position: Int

        /// Two bytes.
        mutating func number() -> Int? {
            guard position + 2 <= bytes.count else { return nil }
            defer { position += 2 }
            return Int(bytes[position]) << 8 | Int(bytes[position + 1])
        }

        mutating func name() -> String? {
            bytes.withUnsafeBufferPointer { buffer in
                guard let start = buffer.baseAddress, position < buffer.count else { return nil }
                var text: UnsafeMutablePointer<CChar>?
                var byteCount = 0
                // Follows compression, and refuses what leaves the message.
                let status = ares_expand_name(start + position, start, Int32(buffer.count), &text, &byteCount)
                guard status == cares_success, let text else { return nil }
                defer { ares_free_string(text) }
                position += byteCount
                return String(cString: text)
            }
        }

        mutating func record() -> Record? {
            guard let priority = number(), let weight = number(), let port = number(), let target = name() else {
                return nil
            }
            return Record(priority: UInt16(priority), weight: UInt16(weight), port: UInt16(port), target: target)
        }
    }
}
