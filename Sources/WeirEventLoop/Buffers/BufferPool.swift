// SPDX-License-Identifier: Apache-2.0
// Byte buffers of a loop, in three sizes, handed out last-in first-out so that the hot one stays in the cache.

/// The head of a pooled buffer; its bytes follow in the same allocation.
package struct BufferHeader {
    /// The next buffer of the queue or free list that this one is in.
    var next: Buffer?
    /// Bytes that fit.
    var capacity: UInt32
    /// First byte that is still of use.
    var start: UInt32
    /// One past the last byte in use.
    var end: UInt32
}

/// A buffer on loan from a `BufferPool`; whoever holds it gives it back exactly once.
package typealias Buffer = UnsafeMutablePointer<BufferHeader>

extension UnsafeMutablePointer<BufferHeader> {
    static var headerByteCount: Int { 32 }

    var bytes: UnsafeMutableRawPointer { UnsafeMutableRawPointer(self) + Self.headerByteCount }
    var count: Int { Int(pointee.end - pointee.start) }
    var free: Int { Int(pointee.capacity - pointee.end) }
}

/// Free lists of 4, 16 and 64 KiB buffers, confined to a loop. Larger requests go to the heap and back.
///
/// At most `retainedBytesMax`, and a sixteenth of the share, lie unused in the lists; what comes back beyond that is freed.
package struct BufferPool: ~Copyable {
    private var free: InlineArray<3, Buffer?> = .init(repeating: nil)
    private var retainedBytes = 0
    private var retainedBytesMax: Int
    /// Bytes on loan now, and those that were noted as held elsewhere.
    package private(set) var heldBytes = 0
    package private(set) var share = BufferShare.unbounded

    /// The smallest buffer, with its head.
    static let smallestByteCount = 4096

    package init(retainedBytesMax: Int = retainedBytesMost) {
        self.retainedBytesMax = retainedBytesMax
    }

    /// Bounds what is held.
    package mutating func setShare(_ share: BufferShare) {
        self.share = share
        retainedBytesMax = min(Self.retainedBytesMost, share.bytesMax / 16)
    }

    package static let retainedBytesMost = 4 << 20

    /// Whether all is in use that is lent to whoever comes first.
    package var isShort: Bool { heldBytes >= share.bytesLent }

    /// Whether the whole share is in use.
    package var isOut: Bool { heldBytes >= share.bytesMax }

    /// Counts memory that is none of the pool's and is held for a connection all the same.
    package mutating func note(_ change: Int) {
        heldBytes += change
    }

    deinit { freeUnused() }

    /// Frees the buffers that lie in the lists.
    package mutating func trim() {
        freeUnused()
        free = .init(repeating: nil)
        retainedBytes = 0
    }

    private func freeUnused() {
        for index in 0..<3 {
            var buffer = free[index]
            while let next = buffer {
                buffer = next.pointee.next
                next.deallocateBuffer()
            }
        }
    }

    /// A buffer with room for at least `minimumCount` bytes, empty.
    package mutating func take(_ minimumCount: Int) -> Buffer {
        let needed = minimumCount + Buffer.headerByteCount
        let index = needed <= 4096 ? 0 : needed <= 16384 ? 1 : needed <= 65536 ? 2 : 3
        if index < 3, let buffer = free[index] {
            free[index] = buffer.pointee.next
            let size = Int(buffer.pointee.capacity) + Buffer.headerByteCount
            retainedBytes -= size
            heldBytes += size
            buffer.pointee.next = nil
            buffer.pointee.start = 0
            buffer.pointee.end = 0
            return buffer
        }
        let size = index < 3 ? 4096 << (2 * index) : needed
        heldBytes += size
        let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 16)
        let buffer = memory.bindMemory(to: BufferHeader.self, capacity: 1)
        buffer.initialize(
            to: BufferHeader(next: nil, capacity: UInt32(size - Buffer.headerByteCount), start: 0, end: 0)
        )
        return buffer
    }

    /// Takes a buffer back.
    package mutating func give(_ buffer: Buffer) {
        let size = Int(buffer.pointee.capacity) + Buffer.headerByteCount
        heldBytes -= size
        let index = size == 4096 ? 0 : size == 16384 ? 1 : size == 65536 ? 2 : 3
        guard index < 3, retainedBytes + size <= retainedBytesMax else {
            buffer.deallocateBuffer()
            return
        }
        retainedBytes += size
        buffer.pointee.next = free[index]
        free[index] = buffer
    }
}

extension UnsafeMutablePointer<BufferHeader> {
    fileprivate func deallocateBuffer() {
        UnsafeMutableRawPointer(self).deallocate()
    }
}
