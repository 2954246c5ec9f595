// SPDX-License-Identifier: Apache-2.0
// Bytes to replies, by hiredis. Owned by a limiter, on its loop's thread; one for each connection.

import CHiredis
import WeirFlow

/// What Redis said.
enum RedisReply {
    /// A number for each limit that was asked for.
    case integers(count: Int, InlineArray<8, Int64>)
    /// A status, or a string of bytes.
    case text(String)
    case error(String)
    /// Anything that no command of ours is answered with.
    case other
}

struct ReplyReader: ~Copyable {
    /// What came of reading on.
    enum Next {
        case reply(RedisReply)
        case incomplete
        /// The bytes are no reply, or one that is longer than any that we ask for.
        case malformed
    }

    /// The most bytes of a reply that is not whole.
    static let incompleteBytesMax = 4096

    private let reader: UnsafeMutablePointer<redisReader>

    init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("no memory for a reader of replies") }
        self.reader = reader
    }

    deinit {
        redisReaderFree(reader)
    }

    func feed(_ bytes: UnsafeRawBufferPointer) {
        // An error is kept, and is the next reply's.
        redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }

    func next() -> Next {
        var found: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &found) == REDIS_OK else { return .malformed }
        guard let found else {
            return reader.pointee.len - reader.pointee.pos > Self.incompleteBytesMax ? .malformed : .incomplete
        }
        defer { freeReplyObject(found) }
        return .reply(Self.value(found.assumingMemoryBound(to: redisReply.self).pointee))
    }

    private static func value(_ reply: redisReply) -> RedisReply {
        switch reply.type {
        case REDIS_REPLY_ARRAY: integers(reply)
        case REDIS_REPLY_STRING, REDIS_REPLY_STATUS: .text(text(reply))
        case REDIS_REPLY_ERROR: .error(text(reply))
        default: .other
        }
    }

    private static func integers(_ reply: redisReply) -> RedisReply {
        guard reply.elements <= StoreLimit.perRequestMax else { return .other }
        var values = InlineArray<8, Int64>(repeating: 0)
        for index in 0..<Int(reply.elements) {
            guard let element = reply.element[index], element.pointee.type == REDIS_REPLY_INTEGER else { return .other }
            values[index] = element.pointee.integer
        }
        return .integers(count: Int(reply.elements), values)
    }

    private static func text(_ reply: redisReply) -> String {
        String(decoding: UnsafeRawBufferPointer(start: reply.str, count: Int(reply.len)), as: UTF8.self)
    }
}
