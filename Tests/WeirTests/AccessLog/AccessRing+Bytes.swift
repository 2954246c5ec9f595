// SPDX-License-Identifier: Apache-2.0
// A ring of whole byte arrays and records, as tests like them.

import Weir

extension AccessRing {
    /// Hands a record over; false if it was dropped.
    func push(_ bytes: [UInt8]) -> Bool {
        guard let place = reserve(bytes.count) else { return false }
        bytes.withUnsafeBytes { place.copyMemory(from: $0.baseAddress!, byteCount: $0.count) }
        commit()
        return true
    }

    /// Hands a request over as a loop does; false if it was dropped.
    @discardableResult
    func push(_ record: AccessRecord, id: String = "") -> Bool {
        push(record.bytes(id: id))
    }

    /// The next record, if `look` saw one.
    func pop() -> [UInt8]? { next().map(Array.init) }
}

extension AccessRecord {
    /// The record with an id behind it, as it lies in a ring.
    func bytes(id: String) -> [UInt8] {
        var record = self
        record.idByteCount = UInt8(id.utf8.count)
        var bytes = withUnsafeBytes(of: record) { Array($0) }
        bytes += [UInt8](repeating: 0, count: AccessRecord.byteCount - bytes.count)
        return bytes + id.utf8
    }
}
