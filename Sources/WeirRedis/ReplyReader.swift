// SPDX-License-Identifier: Apache-2.0
// Bytes to replies, by hiredis. Owned by a limiter, on its loop's thread; one for each connection.

import CHiredis
import WeirFlow

/// What Redis said.
package enum RedisReply {
    /// A number for each limit that was asked for.
    case integers(count: Int, InlineArray<8, Int64>)
    /// A status, or a string of bytes.
    case text(String)
    case error(String)
    /// Anything that no command of ours is answered with.
    case other
}

package struct ReplyReader: ~Copyable {
    /// What came of reading on.
    package enum Next {
        case reply(RedisReply)
        case incomplete
        /// The bytes are no reply, or one that is longer than any that we ask for.
        case malformed
    }

    /// The most bytes of a reply that is not whole.
    static let incompleteBytesMax = 4096

    private let reader: UnsafeMutablePointer<redisReader>
    /// What has come behind the last whole reply, also what the reader has worked off since.
    private var incompleteByteCount = 0

    package init() {
        guard let reader = redisReaderCreate() else { preconditionFailure("no memory for a reader of replies") }
        reader.pointee.fn = boundedFunctions
        self.reader = reader
    }

    deinit {
        redisReaderFree(reader)
    }

    package mutating func feed(_ bytes: UnsafeRawBufferPointer) {
        incompleteByteCount += bytes.count
        // An error is kept, and is the next reply's.
        redisReaderFeed(reader, bytes.baseAddress?.assumingMemoryBound(to: CChar.self), bytes.count)
    }

    package mutating func next() -> Next {
        var found: UnsafeMutableRawPointer?
        guard redisReaderGetReply(reader, &found) == REDIS_OK else { return .malformed }
        guard let found else { return incompleteByteCount > Self.incompleteBytesMax ? .malformed : .incomplete }
        defer { freeReplyObject(found) }
        incompleteByteCount = Int(reader.pointee.len - reader.pointee.pos)
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

/// What hiredis makes replies with.
private let ownFunctions: redisReplyObjectFunctions = {
    guard let reader = redisReaderCreate() else { preconditionFailure("no memory for a reader of replies") }
    defer { redisReaderFree(reader) }
    return reader.pointee.fn.pointee
}()

/// The same, but that a list longer than any that we ask for, or within another, is no reply: hiredis sets memory aside
/// for as many elements as are announced, which 12 bytes can make 16 GiB, and looks at each when it lets go of them.
/// Immutable, and never freed.
private nonisolated(unsafe) let boundedFunctions: UnsafeMutablePointer<redisReplyObjectFunctions> = {
    let functions = UnsafeMutablePointer<redisReplyObjectFunctions>.allocate(capacity: 1)
    functions.initialize(to: ownFunctions)
    functions.pointee.createArray = { task, count in
        guard let task, task.pointee.parent == nil, count <= StoreLimit.perRequestMax else { return nil }
        return ownFunctions.createArray(task, count)
    }
    return functions
}()
