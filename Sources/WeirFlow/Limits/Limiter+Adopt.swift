// SPDX-License-Identifier: Apache-2.0
// A reload: the state goes over to the new limit. The thread that builds the new configuration.

extension Limiter {
    /// Takes over what was used up under the old limit, rescaled to this one's rate and burst (`LimitRule.rescaled`).
    ///
    /// Call it before any thread takes from this limiter. What is still taken from the old one afterwards, by loops that
    /// have not seen the new configuration, is not carried over. Nor is anything where the key is another one: those
    /// states say nothing about the new keys. Keys must be hashed with the same seed and index.
    package func adopt(from old: Limiter, now: Nanoseconds) {
        guard limit.key == old.limit.key else { return }
        let (time, oldTime) = (ticks(now), old.ticks(now))
        guard isKeyed else {
            lone.store(rule.rescaled(old.lone.load(), from: old.rule, oldTime: oldTime, time: time))
            return
        }
        for offset in old.table.offsets {
            let entry = old.table.entry(at: offset)
            if entry.fingerprint == 0 { continue }
            insert(entry.fingerprint, rule.rescaled(entry.word, from: old.rule, oldTime: oldTime, time: time))
        }
    }

    /// Keeps the greatest words of a bucket: what has to go is not above the least that stays, which a key that returns
    /// inherits. That holds for sliding windows too, as a rescaled word counts in the current window only.
    private func insert(_ key: UInt64, _ word: UInt64) {
        let bucket = table.bucket(of: key)
        while true {
            let least = table.least(key, in: bucket).entry
            guard least.fingerprint == 0 || word > least.word else { return }
            if table.replace(least, key: key, word: word) { return }
        }
    }
}
