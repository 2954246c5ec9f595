// SPDX-License-Identifier: Apache-2.0
// Drives the chunked decoder as a connection does, and keeps what it says.

import WeirHTTP

struct DecodedBody: Equatable {
    enum End: Equatable {
        case incomplete
        /// The length of the coded body.
        case complete(Int)
        case invalid(RequestFault)
    }

    var end = End.incomplete
    var data: [UInt8] = []
    var trailers: [String] = []
    /// How many bytes had come when the end was known.
    var knownAt = 0

    static func == (left: DecodedBody, right: DecodedBody) -> Bool {
        left.end == right.end && left.data == right.data && left.trailers == right.trailers
    }

    /// Decodes `bytes`, which come in pieces that end at the rising `cuts` and at the end.
    init(_ bytes: [UInt8], cuts: [Int] = [], limits: HTTPLimits = HTTPLimits()) {
        var decoder = ChunkedDecoder(limits: limits)
        var readCount = 0
        for cut in cuts + [bytes.count] {
            knownAt = cut
            while end == .incomplete, take(decoder.next(bytes.span.extracting(readCount..<cut)), bytes, &readCount) {}
            if end != .incomplete { break }
        }
        if end != .incomplete { checkThatEndStays(&decoder, bytes) }
    }

    static func byteByByte(_ bytes: [UInt8], limits: HTTPLimits = HTTPLimits()) -> DecodedBody {
        DecodedBody(bytes, cuts: Array(0...bytes.count), limits: limits)
    }

    /// Whether to call again with the same bytes.
    private mutating func take(_ step: ChunkedStep, _ bytes: [UInt8], _ readCount: inout Int) -> Bool {
        switch step {
        case .data(let skip, let count):
            precondition(count > 0)
            data += bytes[(readCount + skip)..<(readCount + skip + count)]
            readCount += skip + count
            return true
        case .incomplete(let consumed):
            readCount += consumed
            return false
        case .end(let consumed, let section):
            let front = bytes.span.extracting(readCount..<(readCount + consumed))
            var iterator = TrailerIterator(section)
            while let field = iterator.next(front) {
                let name = bytes[readCount...].dropFirst(Int(field.name.start)).prefix(Int(field.name.count))
                let value = bytes[readCount...].dropFirst(Int(field.value.start)).prefix(Int(field.value.count))
                trailers.append(String(decoding: name, as: UTF8.self) + "=" + String(decoding: value, as: UTF8.self))
            }
            readCount += consumed
            end = .complete(readCount)
            return false
        case .invalid(let fault):
            end = .invalid(fault)
            return false
        }
    }

    private func checkThatEndStays(_ decoder: inout ChunkedDecoder, _ bytes: [UInt8]) {
        switch (end, decoder.next(bytes.span)) {
        case (.invalid(let fault), .invalid(let again)): precondition(fault == again)
        case (.complete, .end(let consumed, let trailers)):
            precondition(consumed == 0 && trailers.isEmpty && decoder.isEnded)
        default: preconditionFailure("another end than before")
        }
    }
}
