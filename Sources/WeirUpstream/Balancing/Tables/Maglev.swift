// SPDX-License-Identifier: Apache-2.0
// Maglev's consistent hashing. Immutable; owned by the table of endpoints.

/// A table of places, each of which belongs to an endpoint; a key has a place (Eisenbud et al.: "Maglev: A Fast and
/// Reliable Software Network Load Balancer", NSDI 2016, section 3.4). Places are as many for each endpoint as its weight
/// says, and nearly all stay whose they were when an endpoint comes or goes.
///
/// It depends on names and weights alone, on neither order nor process, so all replicas send a key to the same endpoint.
struct Maglev: ~Copyable, @unchecked Sendable {
    /// A prime, and the same whatever the number of endpoints: with another size every key would move. Shares are exact to
    /// a place: to 1.5 % of its share for each of 1,000 endpoints.
    static let size = 65_537
    /// Places that may be an excluded endpoint's before the next of the list is taken.
    private static let hopsMax = 16

    /// Invariant: `size` places, written before anybody else has it, so it is Sendable.
    private let places: UnsafeMutablePointer<UInt16>

    /// - Precondition: some entry has a weight.
    init(_ entries: [BalancerTable.Entry]) {
        places = .allocate(capacity: Self.size)
        fill(
            entries.indices.filter { entries[$0].weight > .zero }
                .map { Candidate(UInt16($0), entries[$0]) }
                .sorted { ($0.hash, $0.name) < ($1.hash, $1.name) }
        )
    }

    deinit { places.deallocate() }

    /// The endpoint whose place the key has; where that is excluded, that of another place, which also depends on the key.
    @inline(__always)
    func pick(_ slots: borrowing BalancerSlots, key: UInt64, excluding tried: TriedEndpoints) -> Int? {
        var hash = key
        for _ in 0..<Self.hopsMax {
            let index = Int(places[Int(hash % UInt64(Self.size))])
            if !tried.contains(index) { return index }
            hash = mixed(hash)
        }
        return slots.next(after: Int(places[Int(hash % UInt64(Self.size))]), excluding: tried)
    }

    /// In rounds: each takes the first free place of its own permutation, all in the first round, the heaviest in every one,
    /// the others as much more rarely as they are lighter.
    private func fill(_ sorted: [Candidate]) {
        var candidates = sorted
        let none = UInt16.max
        places.initialize(repeating: none, count: Self.size)
        let heaviest = candidates.reduce(0) { max($0, $1.units) }
        var turns = EarliestFirst()
        for number in candidates.indices { turns.insert(UInt16(number), at: 0) }
        for _ in 0..<Self.size {
            let number = turns.removeEarliest()
            let place = candidates[Int(number)].take { places[$0] == none }
            places[place] = candidates[Int(number)].index
            turns.insert(number, at: candidates[Int(number)].nextRound(heaviest))
        }
    }
}

/// An endpoint and its permutation of the places.
private struct Candidate {
    let index: UInt16
    let name: String
    let hash: UInt64
    let units: Int
    private var taken = 0
    private var place: Int
    private let step: Int

    init(_ index: UInt16, _ entry: BalancerTable.Entry) {
        self.index = index
        // Without its weight: a change of that moves as few places as the change is.
        name = EndpointURL(place: entry.endpoint.url.place).description
        hash = mixed(fnv1a(name))
        units = Int(entry.weight.units)
        place = Int(hash % UInt64(Maglev.size))
        step = Int(mixed(hash) % UInt64(Maglev.size - 1)) + 1
    }

    /// The next place of the permutation that is free. Any step meets all places: their number is prime.
    mutating func take(_ isFree: (Int) -> Bool) -> Int {
        while !isFree(place) {
            place += step
            if place >= Maglev.size { place -= Maglev.size }
        }
        taken += 1
        return place
    }

    /// Rounded up, so nobody is ahead of the share that the heaviest sets.
    func nextRound(_ heaviest: Int) -> Int { (taken * heaviest + units - 1) / units }
}

/// FNV-1a: the same in every process, and names are the operator's, so nobody looks for collisions.
private func fnv1a(_ text: String) -> UInt64 {
    text.utf8.reduce(0xCBF2_9CE4_8422_2325) { ($0 ^ UInt64($1)) &* 0x100_0000_01B3 }
}

/// The finalizer of SplitMix64.
@inline(__always)
private func mixed(_ word: UInt64) -> UInt64 {
    var mixed = word &+ 0x9E37_79B9_7F4A_7C15
    mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
    return mixed ^ (mixed >> 31)
}
