// SPDX-License-Identifier: Apache-2.0
// The part of a head on its way to an endpoint that a head like it has again. Owned by a proxy half, on its loop's thread.

import WeirHTTP

/// What was written of a client's own head: start line, Host, and the fields that go on. It depends on the head, the
/// route and whether the peer is trusted alone, so the same head again (`Exchange.repeatsHead`) is not put together
/// again. What differs from request to request is written behind it: id, trace, deadline, client.
struct ForwardedHead {
    /// Longer ones are put together each time.
    static let byteCountMax = 1024

    /// Nil until the first head that may come again: a service without upstreams pays nothing.
    private var memory: UnsafeMutableRawBufferPointer?
    private var count = 0
    /// `Exchange.headNumber` of the head that this was written from; 0 for none.
    private var number: UInt64 = 0
    private var isPeerTrusted = false

    func deallocate() {
        memory?.deallocate()
    }

    /// Writes what was kept; false where that is of another head.
    @inline(__always)
    func write(of exchange: Exchange, _ isPeerTrusted: Bool, into writer: inout HeadWriter) -> Bool {
        guard number == exchange.headNumber, self.isPeerTrusted == isPeerTrusted, let memory else { return false }
        writer.raw(UnsafeRawBufferPointer(rebasing: memory[..<count]))
        return true
    }

    /// Keeps what was written, where the same head would have it again.
    mutating func keep(_ written: UnsafeRawBufferPointer, of exchange: Exchange, _ isPeerTrusted: Bool) {
        // Without an authority the endpoint's name stands in it.
        guard exchange.keptVersion != 0, !exchange.hasRewrites, written.count <= Self.byteCountMax,
            !exchange.parser.pointee.head.authority.isEmpty
        else { return }
        let memory = self.memory ?? .allocate(byteCount: Self.byteCountMax, alignment: 1)
        self.memory = memory
        memory.copyMemory(from: written)
        count = written.count
        number = exchange.headNumber
        self.isPeerTrusted = isPeerTrusted
    }
}
