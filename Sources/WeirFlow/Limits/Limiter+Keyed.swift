// SPDX-License-Identifier: Apache-2.0
// Charges on the table of a keyed limit. Any thread.

extension Limiter {
    /// 0 marks an entry without key.
    @inline(__always)
    func fingerprint(_ key: UInt64) -> UInt64 { max(key, 1) }

    @inline(__always)
    func chargeKeyed(
        _ rule: some LimitArithmetic,
        _ key: UInt64,
        _ cost: UInt64,
        _ time: UInt64
    ) -> LimitCharge {
        while true {
            let (entry, word) = look(for: key, time)
            guard let charged = rule.charge(word, cost: cost, time: time) else {
                // A stranger that is refused takes nobody's place: what it inherits would be the same again.
                return LimitCharge(isAllowed: false, cost: cost, word: word, time: time)
            }
            if cost == 0 { return LimitCharge(isAllowed: true, cost: cost, word: word, time: time) }
            if table.replace(entry, key: key, word: charged) {
                if entry.fingerprint != key && rule.reset(entry.word, time: time) != 0 { evictions.increment() }
                return LimitCharge(isAllowed: true, cost: cost, word: charged, time: time)
            }
        }
    }

    /// The entry that a charge of this key changes, and the word that it starts from: its own, or an inherited one.
    @inline(__always)
    func look(for key: UInt64, _ time: UInt64) -> (entry: KeyTable.Entry, word: UInt64) {
        let bucket = table.bucket(of: key)
        if let entry = table.find(key, in: bucket) { return (entry, entry.word) }
        return newcomer(key, bucket, time)
    }

    // Out of line: the path of a known key stays short.
    @inline(never)
    private func newcomer(_ key: UInt64, _ bucket: Int, _ time: UInt64) -> (entry: KeyTable.Entry, word: UInt64) {
        let (entry, words) = table.least(key, in: bucket)
        if entry.fingerprint == key { return (entry, entry.word) }
        return (entry, rule.inherited(words, least: entry.word, time: time))
    }

    func giveBackKeyed(_ key: UInt64, _ cost: UInt64, _ time: UInt64) {
        let bucket = table.bucket(of: key)
        while let entry = table.find(key, in: bucket) {
            let word = rule.refund(entry.word, cost: cost, time: time)
            guard word < entry.word, word >= table.leastBeside(entry, in: bucket) else { return }
            if table.replace(entry, key: key, word: word) { return }
        }
    }
}
