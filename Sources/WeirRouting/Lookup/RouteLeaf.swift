// SPDX-License-Identifier: Apache-2.0
// Where a pattern ends in the compiled tree: which methods it has, and their routes.

/// The routes of one pattern shape: those in `routes` from `firstRoute` on, one for each bit of `methods`, from the
/// lowest bit up.
struct RouteLeaf: BitwiseCopyable, Sendable {
    var methods: UInt16 = 0
    var firstRoute: UInt32 = 0
}
