// SPDX-License-Identifier: Apache-2.0
// Any bytes as what a Redis says: however they are cut, the same replies come of them, and none takes more memory than
// its bytes.

import FuzzSupport
import WeirRedis

private struct Outcome: Equatable {
    /// The kind of each and what it says.
    var replies: [[String]] = []
    var isMalformed = false
}

@c(LLVMFuzzerTestOneInput)
public func fuzzRedisReply(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Span(_unsafeStart: start, count: count)
    let whole = outcome(of: bytes, cutAt: count)
    precondition(whole == outcome(of: bytes, cutAt: splitPosition(bytes)), "a cut changes what is read")
    // Each byte that is none of UTF-8 becomes three.
    for words in whole.replies { precondition(words[1...].allSatisfy { $0.utf8.count <= 3 * count }, "more than came") }
    return 0
}

private func outcome(of bytes: Span<UInt8>, cutAt cut: Int) -> Outcome {
    var reader = ReplyReader()
    var outcome = Outcome()
    feed(&reader, bytes.extracting(0..<cut), &outcome)
    if !outcome.isMalformed { feed(&reader, bytes.extracting(cut..<bytes.count), &outcome) }
    return outcome
}

private func feed(_ reader: inout ReplyReader, _ bytes: Span<UInt8>, _ outcome: inout Outcome) {
    guard bytes.count > 0 else { return }
    let copy = ExactCopy(bytes)
    unsafe copy.span.withUnsafeBytes { unsafe reader.feed($0) }
    while true {
        switch reader.next() {
        case .incomplete: return
        case .malformed:
            outcome.isMalformed = true
            return
        case .reply(let reply): outcome.replies.append(words(of: reply))
        }
    }
}

private func words(of reply: RedisReply) -> [String] {
    switch reply {
    case .integers(let count, let values): ["integers"] + (0..<count).map { "\(values[$0])" }
    case .text(let text): ["text", text]
    case .error(let text): ["error", text]
    case .other: ["other"]
    }
}
