// SPDX-License-Identifier: Apache-2.0
// The seam to whatever knows where an upstream's endpoints are: a file, DNS, Consul, Kubernetes.

package import WeirEventLoop

/// Watches one source for one upstream, and gives what it finds to its feed.
///
/// A provider does nothing but read: what becomes of an answer or a failure is the feed's decision. It is confined to the
/// thread of its loop, waits by the loop's timers and descriptors, and has no thread. The loop need not carry requests.
package protocol DiscoveryProvider: AnyObject {
    /// Begins to look, and goes on until `stop`, whether the source is there or not.
    func start()

    /// Lets go of connections, timers and descriptors; nothing is given to the feed from now on. Before the loop ends.
    func stop()
}

/// Names to addresses, on the loop's thread: an answer comes once, in a later call or within this one, and is empty where
/// the name has none now.
package typealias AddressLookup = (
    _ name: String, _ port: UInt16, _ answer: @escaping ([SocketAddress]) -> Void
) -> Void
