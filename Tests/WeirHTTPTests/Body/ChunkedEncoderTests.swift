// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirHTTP

@Suite("ChunkedEncoder") struct ChunkedEncoderTests {
    private func written(_ body: (inout HeadWriter) -> Void) -> [UInt8] {
        let memory = UnsafeMutableRawBufferPointer.allocate(byteCount: 256, alignment: 8)
        defer { memory.deallocate() }
        var writer = HeadWriter(memory)
        body(&writer)
        return Array(memory[..<writer.count])
    }

    @Test("A size is hexadecimal, within its bound", arguments: [1, 15, 16, 65_535, Int.max])
    func size(count: Int) {
        let bytes = written { ChunkedEncoder.writeSize(count, into: &$0) }
        #expect(String(decoding: bytes, as: UTF8.self) == String(count, radix: 16) + "\r\n")
        #expect(bytes.count <= ChunkedEncoder.sizeByteCountMax)
    }

    @Test("What is encoded decodes to the same data")
    func roundTrip() {
        let bytes = written { writer in
            for data in ["hello", ", world"] {
                ChunkedEncoder.writeSize(data.utf8.count, into: &writer)
                writer.raw(Array(data.utf8).span)
                writer.raw(ChunkedEncoder.dataEnd)
            }
            ChunkedEncoder.writeEnd(into: &writer)
        }
        let decoded = DecodedBody(bytes)
        #expect(decoded.end == .complete(bytes.count))
        #expect(decoded.data == Array("hello, world".utf8))
    }

    @Test("Trailers follow the last chunk")
    func trailers() {
        let bytes = written { writer in
            ChunkedEncoder.writeLastChunk(into: &writer)
            writer.field("Checksum", "abc")
            writer.end()
        }
        let decoded = DecodedBody(bytes)
        #expect(decoded.end == .complete(bytes.count))
        #expect(decoded.trailers == ["Checksum=abc"])
    }
}
