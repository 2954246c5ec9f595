// SPDX-License-Identifier: Apache-2.0
// The seam to whatever looks names up on a loop: c-ares, or the system's resolver where a process does without it.

/// Names to addresses, for providers and now and then. Confined to the loop's thread.
package protocol NameSource: AnyObject {
    var lookup: AddressLookup { get }

    /// Watches a name: each of its addresses is an endpoint of the feed, with this port.
    func addresses(of name: String, port: UInt16, for feed: DiscoveryFeed) -> any DiscoveryProvider

    /// Watches what SRV records of a name say; nil where this source knows nothing of services.
    func services(of name: String, for feed: DiscoveryFeed) -> (any DiscoveryProvider)?

    /// Answers nobody from now on. Behind its providers, before the loop ends.
    func stop()
}
