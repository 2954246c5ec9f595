// SPDX-License-Identifier: Apache-2.0
// The watches of a loop, by the slot that travels with their events. Owned by the loop, touched by its thread alone.

/// Slots are reused; each use has a generation of its own, which tells a stale event.
struct WatchTable: ~Copyable {
    private struct Place {
        var watch: DescriptorWatch?
        var generation: UInt32 = 0
    }

    private var places: [Place] = []

    /// Keeps `watch`; answers what its events will carry.
    mutating func add(_ watch: DescriptorWatch) -> UInt64 {
        let free = places.firstIndex { $0.watch == nil } ?? places.count
        if free == places.count { places.append(Place()) }
        places[free].watch = watch
        watch.slot = UInt32(free)
        return token(of: watch)
    }

    mutating func remove(_ watch: DescriptorWatch) {
        let slot = Int(watch.slot)
        places[slot].watch = nil
        // 24 bits travel in the poller's token.
        places[slot].generation = (places[slot].generation &+ 1) & 0xFF_FFFF
        watch.slot = .max
    }

    func token(of watch: DescriptorWatch) -> UInt64 {
        Token.watch(slot: watch.slot, generation: places[Int(watch.slot)].generation)
    }

    /// The watch that an event is about; nil if it has ended since.
    func find(_ token: Token) -> DescriptorWatch? {
        guard Int(token.slot) < places.count, places[Int(token.slot)].generation == token.generation else { return nil }
        return places[Int(token.slot)].watch
    }
}
