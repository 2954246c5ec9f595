// SPDX-License-Identifier: Apache-2.0
// What is handed on when a table forgets a key. Pure.

extension LimitRule {
    /// The state that a newcomer takes over with the place of `least`, the least word of its bucket. It allows at no
    /// time more than the word of any key that this bucket has ever forgotten.
    ///
    /// GCRA and the token bucket: the least word itself. A bucket's least word never falls, and a lesser word allows
    /// at least what a greater one does.
    ///
    /// The sliding window has two counts. The lesser word has the lesser count of the current window, which never
    /// falls, but it says nothing of the last window's. So the newcomer gets the greatest last count of the bucket,
    /// which never falls either while its window is the last one.
    @inline(__always)
    func inherited(_ words: InlineArray<4, UInt64>, least: UInt64, time: UInt64) -> UInt64 {
        guard case .slidingWindow(let rule) = self else { return least }
        return rule.inherited(words, least: least, time: time)
    }
}

extension SlidingWindow {
    func inherited(_ words: InlineArray<4, UInt64>, least: UInt64, time: UInt64) -> UInt64 {
        // The bucket's own clock: a thread may be late, and what it reads may have moved on to the next window.
        var index = time &>> scale.shift
        for slot in words.indices { index = max(index, unpack(words[slot]).index) }
        var heir = advance(unpack(least), to: index)
        for slot in words.indices {
            heir.previous = max(heir.previous, advance(unpack(words[slot]), to: index).previous)
        }
        return pack(heir)
    }
}
