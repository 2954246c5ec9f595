// SPDX-License-Identifier: Apache-2.0
// The memory of a limiter: fixed, shared by all threads, no lock. Each limiter has its own.

import Glibc
import Synchronization

/// A table of buckets, one cache line each, of four entries: a key's fingerprint and its word of state.
///
/// A key has one bucket. Where that is full, the key with the least word is forgotten, which is the one with the most
/// left (see `LimitRule.inherited`), and a newcomer starts with the state that was there. Entries without a key have
/// the word 0 and are therefore taken first. So a key that was forgotten and returns finds no more than it left:
/// a flood of keys costs strangers their burst, and never gives anyone a second one.
///
/// **The guarantee.** A key is granted no more than its limit alone would grant, whatever other keys come, from however
/// many threads. (The sliding window: on the latest clock that the bucket has seen.) It rests on three rules:
/// 1. Words only grow, and an entry changes as a whole, by one compare-and-swap of its 16 bytes. So a take on an entry
///    whose key has just been replaced fails, and looks again.
/// 2. Only the entry with the least word is replaced, and ties go to the lower place. The others were not less when
///    they were read, so they are not when the swap succeeds. The least word of a bucket never falls.
/// 3. No key is twice in a bucket. Had two threads put it into two places m and n, each replaced the least word it
///    saw: m's was not above n's, and n's not above m's, words that had not yet been raised by the other. With ties
///    going to the lower place that cannot be. It needs that a word is read before its fingerprint (`least`).
///
/// **The bound on `giveBack`**, which lowers a word: it does nothing where the word would become the least of a full
/// bucket, but the four words are not read in one moment. One that is under way while the same bucket replaces a key
/// can add at most the costs of these two requests to what a key is granted. It happens only where two limits apply
/// and another thread takes the last of the second between the look and the take.
///
/// A refusal is not verified by a swap: a key that is replaced at that moment may be refused by its heir's word, which
/// is not less than its own.
///
/// One table per limit and not one for all: words of different limits cannot stand for one another.
@safe
struct KeyTable: ~Copyable, @unchecked Sendable {
    static let bucketBytes = 64
    static let slotsPerBucket = 4
    private static let slotBytes = 16
    /// Where the fingerprint and the word of an entry lie: as `WordPair` has them.
    private static let fingerprintOffset = 0
    private static let wordOffset = 8
    /// A table as large as this lies on large pages where the kernel gives them.
    private static let largePageBytes = 2 << 20

    let bucketCount: Int
    // Invariant: `bucketCount` zeroed lines. All access is atomic, so it is Sendable.
    private let memory: UnsafeMutableRawPointer

    /// Where an entry lies, and what was read of it.
    struct Entry {
        let offset: Int
        let fingerprint: UInt64
        let word: UInt64
    }

    init(bytes: Int) {
        bucketCount = max(1, bytes / Self.bucketBytes)
        let byteCount = bucketCount * Self.bucketBytes
        let alignment = byteCount < Self.largePageBytes ? Self.bucketBytes : Self.largePageBytes
        unsafe memory = .allocate(byteCount: byteCount, alignment: alignment)
        // A hint, so a refusal is no fault. Measured with a million keys in 32 MiB: 130 ns per take before, 86 after.
        if byteCount >= Self.largePageBytes { unsafe _ = madvise(memory, byteCount, MADV_HUGEPAGE) }
        unsafe memory.initializeMemory(as: UInt8.self, repeating: 0, count: byteCount)
    }

    deinit { unsafe memory.deallocate() }

    /// The offset of the key's bucket. The hash is even, so its upper bits choose, and all of it is the fingerprint.
    @inline(__always)
    func bucket(of key: UInt64) -> Int {
        Int(key.multipliedFullWidth(by: UInt64(bucketCount)).high) &* Self.bucketBytes
    }

    /// The entry of this key, unless it has none.
    @inline(__always)
    func find(_ key: UInt64, in bucket: Int) -> Entry? {
        // Without a branch on the place: it would be guessed wrong three times of four, and each wrong guess waits for
        // the line to come (a million keys: 94 ns per take with branches). A key is in one place at most, so the sum is
        // that place.
        let (isFirst, isSecond) = (holds(key, bucket), holds(key, bucket &+ Self.slotBytes))
        let (isThird, isFourth) = (
            holds(key, bucket &+ 2 &* Self.slotBytes), holds(key, bucket &+ 3 &* Self.slotBytes)
        )
        guard isFirst &+ isSecond &+ isThird &+ isFourth != 0 else { return nil }
        let slot = isSecond &+ 2 &* isThird &+ 3 &* isFourth
        let offset = bucket &+ (slot & (Self.slotsPerBucket - 1)) &* Self.slotBytes
        let word = unsafe half(offset &+ Self.wordOffset).pointee.load(ordering: .relaxed)
        return Entry(offset: offset, fingerprint: key, word: word)
    }

    /// 1 if an entry is this key's, else 0. Relaxed: what is read here is verified by the swap that follows, and a miss
    /// is looked at again.
    @inline(__always)
    private func holds(_ key: UInt64, _ offset: Int) -> Int {
        unsafe half(offset &+ Self.fingerprintOffset).pointee.load(ordering: .relaxed) == key ? 1 : 0
    }

    /// The entry of this key, or else the one with the least word, and all four words.
    func least(_ key: UInt64, in bucket: Int) -> (entry: Entry, words: InlineArray<4, UInt64>) {
        var words = InlineArray<4, UInt64>(repeating: 0)
        var least = entry(at: bucket)
        words[0] = least.word
        if least.fingerprint == key { return (least, words) }
        for slot in 1..<Self.slotsPerBucket {
            let entry = entry(at: bucket + slot * Self.slotBytes)
            words[slot] = entry.word
            if entry.fingerprint == key { return (entry, words) }
            if entry.word < least.word { least = entry }
        }
        return (least, words)
    }

    /// The least word of the others in an entry's bucket.
    func leastBeside(_ entry: Entry, in bucket: Int) -> UInt64 {
        var least = UInt64.max
        for slot in 0..<Self.slotsPerBucket {
            let other = bucket + slot * Self.slotBytes
            if other != entry.offset { least = min(least, self.entry(at: other).word) }
        }
        return least
    }

    /// An entry by its place in the table.
    func entry(at offset: Int) -> Entry {
        // Acquire, with the release in `replace`: the fingerprint read next is at least as new as the word. The other
        // way round an old fingerprint with a new word would hide a key that has just come (rule 3).
        let word = unsafe half(offset &+ Self.wordOffset).pointee.load(ordering: .acquiring)
        let fingerprint = unsafe half(offset &+ Self.fingerprintOffset).pointee.load(ordering: .relaxed)
        return Entry(offset: offset, fingerprint: fingerprint, word: word)
    }

    /// Puts a key and its word in the place of an entry, if that is still as it was read.
    @inline(__always)
    func replace(_ entry: Entry, key: UInt64, word: UInt64) -> Bool {
        // Release: pairs with the acquire in `entry(at:)`. What was read is not needed, so a failure is relaxed.
        unsafe pair(entry.offset).pointee.weakCompareExchange(
            expected: WordPair(first: UInt(entry.fingerprint), second: UInt(entry.word)),
            desired: WordPair(first: UInt(key), second: UInt(word)),
            successOrdering: .releasing,
            failureOrdering: .relaxed
        ).exchanged
    }

    /// The offsets of all entries.
    var offsets: StrideTo<Int> { stride(from: 0, to: bucketCount * Self.bucketBytes, by: Self.slotBytes) }

    /// How much of a table is looked at to tell how full it is. Measured: 0.1 ms, where 1 GiB takes 100.
    private static let sampleBytesMax = 1 << 20

    /// How many buckets tell how full all are: the hash is seeded, so keys lie in them by chance.
    var sampleBucketCount: Int { min(bucketCount, Self.sampleBytesMax / Self.bucketBytes) }

    /// The offsets of the entries in these.
    var sampleOffsets: StrideTo<Int> {
        stride(from: 0, to: sampleBucketCount * Self.bucketBytes, by: Self.slotBytes)
    }

    /// Half of an entry, read by itself: aligned, so it is whole on every machine that swaps 16 bytes.
    @inline(__always)
    private func half(_ offset: Int) -> UnsafeMutablePointer<Atomic<UInt64>> {
        unsafe (memory + offset).assumingMemoryBound(to: Atomic<UInt64>.self)
    }

    // In bounds: an offset is that of a bucket plus that of one of its slots.
    @inline(__always)
    private func pair(_ offset: Int) -> UnsafeMutablePointer<Atomic<WordPair>> {
        unsafe (memory + offset).assumingMemoryBound(to: Atomic<WordPair>.self)
    }
}
