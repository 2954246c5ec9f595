// SPDX-License-Identifier: Apache-2.0
// From a request's authority to the trees that may answer it, the most specific first.

/// Finds the trees for a host: the exact one, then wildcards from the longest to the shortest, then the one for any.
///
/// Exact names (`shop.example.com`) and wildcards' suffixes (`.example.com`) share one open-addressed table. The hash
/// runs from the last byte to the first, so one pass over the host has the hash of each of its suffixes. Which host
/// comes next if one has no route for the path follows from its name alone, so it is a link made at build time.
struct HostIndex: ~Copyable, Sendable {
    struct Source {
        let host: HostPattern
        let root: UInt32
    }

    struct Entry: BitwiseCopyable, Sendable {
        var hash: UInt32 = 0
        var keyStart: UInt32 = 0
        var keyCount: UInt32 = 0
        /// The root of the host's tree.
        var root: UInt32
        /// The next less specific entry; entry 0, any host, is the last of every chain.
        var lessSpecific: UInt32 = 0
    }

    /// Entry 0 is "any host", and the only one without a key.
    private let entries: FlatArray<Entry>
    /// A power of two of indices into `entries`, at most half of them used; 0 is a free slot.
    private let slots: FlatArray<UInt32>
    private let keys: FlatArray<UInt8>
    private let isEmpty: Bool

    init(_ sources: [Source], anyRoot: UInt32) {
        var entries = [Entry(root: anyRoot)]
        var keys: [UInt8] = []
        var indices: [[UInt8]: UInt32] = [:]
        for source in sources {
            indices[source.host.key] = UInt32(entries.count)
            let hash = source.host.key.reversed().reduce(Self.hashSeed, Self.hash)
            entries.append(
                Entry(
                    hash: hash,
                    keyStart: UInt32(keys.count),
                    keyCount: UInt32(source.host.key.count),
                    root: source.root
                )
            )
            keys += source.host.key
        }
        var slots = [UInt32](repeating: 0, count: Self.slotCount(for: sources.count))
        for (offset, source) in sources.enumerated() {
            let index = offset + 1
            entries[index].lessSpecific = Self.nextWildcard(after: source.host.key, indices)
            var slot = Int(entries[index].hash) & (slots.count - 1)
            while slots[slot] != 0 { slot = (slot + 1) & (slots.count - 1) }
            slots[slot] = UInt32(index)
        }
        self.entries = FlatArray(entries)
        self.slots = FlatArray(slots)
        self.keys = FlatArray(keys)
        isEmpty = sources.isEmpty
    }

    /// An entry of the chain.
    @inline(always)
    func entry(_ index: Int) -> Entry { entries.span[index] }

    /// The most specific entry for an authority (`Shop.Example.com.:8080`, `[::1]:80`; may be empty).
    ///
    /// - Complexity: O(bytes) of an authority of at most 253 bytes (a longer one is no host name: entry 0).
    func mostSpecific(_ authority: Span<UInt8>) -> Int {
        if isEmpty { return 0 }
        let end = Self.hostEnd(authority)
        if end == 0 || end > HostPattern.bytesMax { return 0 }
        var found = 0
        var hash = Self.hashSeed
        var index = end
        while index > 0 {
            index &-= 1
            let byte = ASCII.lowercased(authority[index])
            hash = Self.hash(hash, byte)
            // A wildcard wants something in front of its dot, an exact name does not start with one.
            if (byte == UInt8(ascii: ".")) == (index > 0) {
                let entry = find(hash, authority, index, end)
                if entry != 0 { found = entry }
            }
        }
        return found
    }

    private func find(_ hash: UInt32, _ authority: Span<UInt8>, _ start: Int, _ end: Int) -> Int {
        let slots = slots.span
        let entries = entries.span
        var slot = Int(hash) & (slots.count &- 1)
        while slots[slot] != 0 {
            let index = Int(slots[slot])
            if entries[index].hash == hash, isKey(entries[index], authority, start, end) { return index }
            slot = (slot &+ 1) & (slots.count &- 1)
        }
        return 0
    }

    private func isKey(_ entry: Entry, _ authority: Span<UInt8>, _ start: Int, _ end: Int) -> Bool {
        guard Int(entry.keyCount) == end &- start else { return false }
        let keys = keys.span
        var offset = 0
        while offset < end &- start {
            if keys[Int(entry.keyStart) &+ offset] != ASCII.lowercased(authority[start &+ offset]) { return false }
            offset &+= 1
        }
        return true
    }

    /// Where the host ends within the authority: before the port and before one trailing dot. 0 if there is none.
    private static func hostEnd(_ authority: Span<UInt8>) -> Int {
        let isAddress = authority.count > 0 && authority[0] == UInt8(ascii: "[")
        let last = isAddress ? UInt8(ascii: "]") : UInt8(ascii: ":")
        var end = 0
        while end < authority.count, authority[end] != last { end &+= 1 }
        if isAddress { return end < authority.count ? end &+ 1 : 0 }
        return end > 1 && authority[end &- 1] == UInt8(ascii: ".") ? end &- 1 : end
    }

    private static let hashSeed: UInt32 = 0x811C_9DC5

    /// One step of FNV-1a. The keys are the operator's, so nobody outside can make them collide.
    @inline(always)
    private static func hash(_ hash: UInt32, _ byte: UInt8) -> UInt32 {
        (hash ^ UInt32(byte)) &* 0x0100_0193
    }

    private static func slotCount(for keyCount: Int) -> Int {
        var count = 2
        while count < 2 * keyCount { count *= 2 }
        return count
    }

    /// The entry of the longest wildcard that covers everything with this key, other than the key itself; else 0.
    private static func nextWildcard(after key: [UInt8], _ indices: [[UInt8]: UInt32]) -> UInt32 {
        for start in key.indices.dropFirst() where key[start] == UInt8(ascii: ".") {
            if let index = indices[Array(key[start...])] { return index }
        }
        return 0
    }
}
