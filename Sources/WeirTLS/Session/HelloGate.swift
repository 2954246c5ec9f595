// SPDX-License-Identifier: Apache-2.0
// Looks at the records that a client begins with, before OpenSSL sets memory aside for what they announce. Pure; a part
// of a server's session.

import COpenSSL

/// Bounds a ClientHello by the length that it says of itself (RFC 8446 section 4).
///
/// OpenSSL takes 131 KB for the four bytes that announce so long a one, and 16 KiB in any case. A second one may come
/// behind a HelloRetryRequest. Of all other messages OpenSSL knows closer bounds.
struct HelloGate {
    /// The longest ClientHello: what browsers send with keys that resist quantum computers has 2 KB.
    static let helloBytesMax = 16 << 10

    private static let recordHeaderCount = 5
    private static let messageHeaderCount = 4

    /// The header of the record at hand, and that of the message which it begins with.
    private var head = InlineArray<9, UInt8>(repeating: 0)
    private var headCount = 0
    /// Bytes of this record that need not be looked at, and bytes of the hello that later records have.
    private var skipLeft = 0
    private var helloLeft = 0
    private var hasHello = false
    /// Whether a ClientHello may still come.
    private(set) var isLooking: Bool

    init(isLooking: Bool) {
        self.isLooking = isLooking
    }

    /// Whether OpenSSL may have these bytes, which are next.
    ///
    /// - Parameter isTLS13: The version that was agreed on for what has come so far.
    mutating func passes(_ bytes: UnsafeRawBufferPointer, isTLS13: Bool) -> Bool {
        var index = 0
        while isLooking, index < bytes.count {
            if skipLeft > 0 {
                let count = min(skipLeft, bytes.count - index)
                skipLeft -= count
                index += count
                continue
            }
            head[headCount] = unsafe bytes[index]
            headCount += 1
            index += 1
            switch headCount {
            case Self.recordHeaderCount:
                guard beginsRecord(isTLS13) else { return false }
            case Self.recordHeaderCount + Self.messageHeaderCount:
                guard beginsMessage() else { return false }
            default: break
            }
        }
        return true
    }

    private var recordCount: Int { Int(head[3]) << 8 | Int(head[4]) }

    private mutating func beginsRecord(_ isTLS13: Bool) -> Bool {
        switch Int32(head[0]) {
        case SSL3_RT_HANDSHAKE where helloLeft > 0:
            helloLeft -= min(helloLeft, recordCount)
            skip(recordCount)
        case SSL3_RT_HANDSHAKE where hasHello && !isTLS13:
            // TLS 1.2 goes on with other messages; those of 1.3 are encrypted, but for a second hello.
            isLooking = false
        case SSL3_RT_HANDSHAKE:
            // No client cuts a message within its header, unless to hide it from whoever looks for it.
            return recordCount >= Self.messageHeaderCount
        default:
            skip(recordCount)
        }
        return true
    }

    private mutating func beginsMessage() -> Bool {
        let messageCount = Int(head[6]) << 16 | Int(head[7]) << 8 | Int(head[8])
        if Int32(head[5]) == SSL3_MT_CLIENT_HELLO {
            guard messageCount <= Self.helloBytesMax else { return false }
            hasHello = true
            helloLeft = max(0, Self.messageHeaderCount + messageCount - recordCount)
        }
        skip(recordCount - Self.messageHeaderCount)
        return true
    }

    private mutating func skip(_ count: Int) {
        skipLeft = count
        headCount = 0
    }
}
