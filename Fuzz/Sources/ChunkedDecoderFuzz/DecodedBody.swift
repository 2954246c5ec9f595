// SPDX-License-Identifier: Apache-2.0
// Everything that the decoder says about a body, as a value that can be compared.

import FuzzSupport
import WeirHTTP

struct DecodedBody: Equatable {
    private enum End: Equatable {
        case incomplete
        /// The length of the coded body.
        case complete(Int)
        case invalid(RequestFault)
    }

    private struct Trailer: Equatable {
        var known: HeaderName
        var name: [UInt8]
        var value: [UInt8]
    }

    private var end = End.incomplete
    private var data: [UInt8] = []
    private var trailers: [Trailer] = []

    /// Decodes `bytes`, which come in pieces that end at the rising `cuts` and at the end, as a connection does: what
    /// is not read is kept, and moves to the front of what comes next.
    init(_ bytes: Span<UInt8>, _ limits: HTTPLimits, cuts: [Int] = []) {
        var decoder = ChunkedDecoder(limits: limits)
        var readCount = 0
        for cut in cuts + [bytes.count] {
            var isRead = false
            while !isRead, end == .incomplete {
                let front = ExactCopy(bytes.extracting(readCount..<cut))
                isRead = take(decoder.next(front.span), front.span, &readCount)
            }
        }
        checkThatEndStays(&decoder, bytes)
    }

    /// Whether the decoder wants more than `front`.
    private mutating func take(_ step: ChunkedStep, _ front: Span<UInt8>, _ readCount: inout Int) -> Bool {
        switch step {
        case .data(let skip, let count):
            precondition(count > 0 && skip + count <= front.count)
            for index in skip..<(skip + count) { data.append(front[index]) }
            readCount += skip + count
            return false
        case .incomplete(let consumed):
            precondition(consumed <= front.count)
            readCount += consumed
            return true
        case .end(let consumed, let section):
            precondition(consumed <= front.count && section.end <= consumed)
            var iterator = TrailerIterator(section)
            while let field = iterator.next(front) {
                trailers.append(
                    Trailer(known: field.known, name: copy(front, field.name), value: copy(front, field.value))
                )
            }
            readCount += consumed
            end = .complete(readCount)
            return true
        case .invalid(let fault):
            end = .invalid(fault)
            return true
        }
    }

    private func copy(_ bytes: Span<UInt8>, _ range: ByteRange) -> [UInt8] {
        range.bounds.map { bytes[$0] }
    }

    private func checkThatEndStays(_ decoder: inout ChunkedDecoder, _ bytes: Span<UInt8>) {
        switch end {
        case .incomplete:
            precondition(!decoder.isEnded)
        case .complete:
            precondition(decoder.next(bytes) == .end(consumed: 0, trailers: .empty) && decoder.isEnded)
        case .invalid(let fault):
            precondition(decoder.next(bytes) == .invalid(fault))
        }
    }

    /// Traps unless what the decoder said fits the bytes.
    func check(_ bytes: Span<UInt8>, _ limits: HTTPLimits) {
        precondition(data.count < max(bytes.count, 1) && trailers.count <= limits.headerFieldsMax)
        switch end {
        case .incomplete: break
        case .invalid(let fault): precondition(Int(fault.offset) <= bytes.count, "a fault beyond the input")
        case .complete(let count):
            precondition(self == DecodedBody(bytes.extracting(0..<count), limits), "bytes behind the body matter")
        }
        for trailer in trailers {
            precondition(!trailer.known.isForbiddenInTrailers && !trailer.name.isEmpty)
            precondition(trailer.name.allSatisfy { ByteClass.contains(ByteClass.token, $0) })
            precondition(trailer.value.allSatisfy { ByteClass.contains(ByteClass.fieldValue, $0) })
        }
    }
}
