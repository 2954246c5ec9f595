// SPDX-License-Identifier: Apache-2.0
// How many copies of a route's requests are on their way. Shared by all loops, by the route's paths and hosts, and by
// every snapshot that has the route.

import Synchronization

/// A route's mirror as it was declared; its identity tells it from another of the same figures.
final class DeclaredMirror: Sendable {
    let mirror: Mirror

    init(_ mirror: Mirror) {
        self.mirror = mirror
    }
}

/// The copies of one route.
final class MirrorCopies: Sendable {
    /// By which a reload finds it again.
    let name: String
    // Relaxed: it bounds, and publishes nothing.
    private let count = Atomic<Int>(0)

    init(name: String) {
        self.name = name
    }

    var isBusy: Bool { count.load(ordering: .relaxed) > 0 }

    /// Takes a place for a copy; false where `max` are on their way.
    func begin(max: Int) -> Bool {
        guard count.wrappingAdd(1, ordering: .relaxed).newValue > max else { return true }
        count.wrappingSubtract(1, ordering: .relaxed)
        return false
    }

    /// Gives the place of a copy back.
    func end() {
        count.wrappingSubtract(1, ordering: .relaxed)
    }
}
