// SPDX-License-Identifier: Apache-2.0
// How many replicas an app under test takes itself for: for our own tests of limits that a cluster shares.

import WeirEventLoop

extension TestClient {
    /// As `EngineView.setReplicas`.
    package func setReplicas(_ count: Int) {
        server.shared.flow?.observeReplicas(count, now: LoopClock.monotonic.now)
    }

    /// The version of the routes that are published; each loop has them from the end of its turn on.
    package var publishedVersion: UInt64 { server.shared.snapshots.publishedVersion }
}
