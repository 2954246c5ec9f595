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
    /// The version of the published set; pairs with the release in `publish`.
    private let version: Atomic<UInt64>
    /// Held for a reference to be taken or swapped, and never while a set is built.
    private let present: Mutex<EndpointSet>

    init(_ set: EndpointSet, source: String?) {
        self.source = source
        version = Atomic(set.version)
        present = Mutex(set)
    }

    /// The endpoints as they are now. Any thread; waits for nothing but a swap.
    package var endpointSet: EndpointSet { present.withLock { $0 } }

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
