// SPDX-License-Identifier: Apache-2.0
// What choosing reads of the endpoints: where their load lies, and their weights. Immutable; owned by the table.

/// The endpoints of a table by index, and which of them have a weight.
struct BalancerSlots: ~Copyable, @unchecked Sendable {
    struct Slot {
        /// On the endpoint's cache line, which the table keeps alive.
        let load: UnsafePointer<EndpointLoad.Cell>
        let weight: EffectiveWeight
        let inverseWeight: Double
    }

    /// Invariant: written before anybody else has the slots, so they are Sendable; loads are atomics.
    private let slots: UnsafeMutablePointer<Slot>
    private let usable: UnsafeMutablePointer<UInt16>
    let usableCount: Int

    /// - Precondition: the endpoints of `entries` outlive the slots.
    init(_ entries: [BalancerTable.Entry]) {
        slots = .allocate(capacity: entries.count)
        usable = .allocate(capacity: entries.count)
        var count = 0
        for (index, entry) in entries.enumerated() {
            let inverseWeight = 1 / Double(entry.weight.units)
            let load = entry.endpoint.load.line.address
            (slots + index).initialize(to: Slot(load: load, weight: entry.weight, inverseWeight: inverseWeight))
            guard entry.weight > .zero else { continue }
            usable[count] = UInt16(index)
            count += 1
        }
        usableCount = count
    }

    deinit {
        slots.deallocate()
        usable.deallocate()
    }

    @inline(__always)
    subscript(index: Int) -> Slot { slots[index] }

    /// Of two with a weight, the one that is not `index`.
    @inline(__always)
    func other(than index: Int) -> Int { Int(Int(usable[0]) == index ? usable[1] : usable[0]) }

    /// The first with a weight, by index.
    func first(excluding tried: TriedEndpoints) -> Int? {
        for place in 0..<usableCount where !tried.contains(Int(usable[place])) { return Int(usable[place]) }
        return nil
    }

    /// The next one with a weight behind `index`, the list taken as a ring.
    func next(after index: Int, excluding tried: TriedEndpoints) -> Int? {
        var before: Int?
        for place in 0..<usableCount where !tried.contains(Int(usable[place])) {
            if usable[place] > index { return Int(usable[place]) }
            if before == nil { before = Int(usable[place]) }
        }
        return before
    }

    /// One drawn by weight among those that are left. It looks at all of them: for when drawing from a table met only
    /// excluded ones.
    func draw(excluding tried: TriedEndpoints, and taken: Int?, random: inout WyRand) -> Int? {
        var sum: UInt64 = 0
        for place in 0..<usableCount where isLeft(place, tried, taken) { sum += units(place) }
        guard sum > 0 else { return nil }
        var position = random.next().multipliedFullWidth(by: sum).high
        for place in 0..<usableCount where isLeft(place, tried, taken) {
            if position < units(place) { return Int(usable[place]) }
            position -= units(place)
        }
        return nil
    }

    private func isLeft(_ place: Int, _ tried: TriedEndpoints, _ taken: Int?) -> Bool {
        let index = Int(usable[place])
        return index != taken && !tried.contains(index)
    }

    private func units(_ place: Int) -> UInt64 { UInt64(slots[Int(usable[place])].weight.units) }
}
