// SPDX-License-Identifier: Apache-2.0
// A response body that is larger than the output may hold at once.

/// A body in memory that is copied out as fast as the client takes it.
struct PendingBody {
    var text: String?
    var bytes: [UInt8]?
    var offset = 0

    init() {}

    /// The bytes or the text of a response.
    init(_ body: ResponseBody) {
        switch body {
        case .text(let text): self.text = text
        case .bytes(let bytes): self.bytes = bytes
        case .empty, .file, .stream, .upstream, .failure: break
        }
    }

    var isActive: Bool { text != nil || bytes != nil }

    /// Copies as much of the rest as fits into `room`; says how much, and whether it was all.
    mutating func copy(into room: UnsafeMutableRawBufferPointer) -> (count: Int, isEnd: Bool) {
        let copyRest = { (source: UnsafeRawBufferPointer, offset: Int) -> (Int, Bool) in
            let count = min(room.count, source.count - offset)
            if count > 0, let from = source.baseAddress, let to = room.baseAddress {
                to.copyMemory(from: from + offset, byteCount: count)
            }
            return (count, offset + count == source.count)
        }
        let result: (count: Int, isEnd: Bool)
        if let bytes {
            result = bytes.withUnsafeBytes { copyRest($0, offset) }
        } else if var text {
            result = text.withUTF8 { copyRest(UnsafeRawBufferPointer($0), offset) }
        } else {
            result = (0, true)
        }
        offset += result.count
        return result
    }
}
