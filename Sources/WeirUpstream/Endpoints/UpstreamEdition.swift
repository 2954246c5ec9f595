// SPDX-License-Identifier: Apache-2.0
// An upstream as one configuration has it. Named by the snapshot of that configuration, shared by all loops.

import Synchronization

/// What requests that begin under one configuration choose from.
///
/// While the configuration is in force its set follows what endpoints come, go and weigh. The next configuration has an
/// edition of its own, which becomes known with its routes, in one publication of the snapshot; this one stays as it was
/// last, for the requests that began with it.
package final class UpstreamEdition: Sendable {
    /// The URL of what lists the endpoints; nil where they were given.
    package let source: String?
    /// Whether its source has said nothing yet, and there is nobody to ask. Acquired where it is read: who finds it over
    /// finds what was published before.
    private let awaits: Atomic<Bool>
    /// The version of the published set; pairs with the release in `publish`.
    private let version: Atomic<UInt64>
    /// Held for a reference to be taken or swapped, and never while a set is built.
    private let present: Mutex<EndpointSet>

    /// - Parameter hasHeard: whether the source has said something before.
    init(_ set: EndpointSet, source: String?, hasHeard: Bool = false) {
        self.source = source
        awaits = Atomic(source != nil && !hasHeard && set.endpoints.isEmpty)
        version = Atomic(set.version)
        present = Mutex(set)
    }

    /// The endpoints as they are now. Any thread; waits for nothing but a swap.
    package var endpointSet: EndpointSet { present.withLock { $0 } }

    /// Whether requests wait for the first word of its source.
    package var awaitsEndpoints: Bool { awaits.load(ordering: .acquiring) }

    /// Its source has listed endpoints, or said why it cannot.
    func noteHeard() {
        awaits.store(false, ordering: .releasing)
    }

    /// What to compare a set's version with: one load.
    var publishedVersion: UInt64 { version.load(ordering: .acquiring) }

    /// Whoever sees the version finds the set: it is written before. One thread at a time, see `Upstream`.
    func publish(_ set: EndpointSet) {
        present.withLock { $0 = set }
        version.store(set.version, ordering: .releasing)
    }
}

/// What an upstream becomes with a configuration that is not in force yet.
package struct UpstreamDraft: Sendable {
    package let upstream: Upstream
    package let edition: UpstreamEdition
    /// What its endpoints were when it was drawn up.
    let former: EndpointSet
}

extension UpstreamDraft {
    /// What an upstream is.
    package init(asIs upstream: Upstream) {
        let edition = upstream.edition
        self.init(upstream: upstream, edition: edition, former: edition.endpointSet)
    }
}
