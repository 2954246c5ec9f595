// SPDX-License-Identifier: Apache-2.0
// Which requests of a route are copied to another upstream, and how many copies may be on their way. Part of the
// snapshot; shared by all loops.

import WeirHTTP
import WeirUpstream

/// A route's mirror.
final class RouteMirror: Sendable {
    /// What marks a copy, in lower case. A request that has it is one already, and is not copied again: two gateways
    /// that mirror to each other would do so for ever.
    static let markName = Array("x-weir-mirrored".utf8)
    /// The line that marks it.
    static let mark: StaticString = "X-Weir-Mirrored: 1\r\n"

    let destination: RouteUpstream
    /// Whether requests that have a body are copied, too.
    let copiesBodies: Bool
    private let percent: UInt64
    private let copiesMax: Int
    private let copies: MirrorCopies

    /// Nil where its upstream is not there.
    init?(_ mirror: Mirror, _ copies: MirrorCopies, _ upstreams: [RouteUpstream]) {
        guard let destination = upstreams.first(where: { $0.upstream.name == mirror.upstream }) else { return nil }
        self.destination = destination
        copiesBodies = mirror.bodies
        percent = UInt64(mirror.percent)
        copiesMax = mirror.concurrency
        self.copies = copies
        destination.upstream.report.mirrored.setUsed()
    }

    /// Whether a request with this random number is copied.
    func chooses(_ random: UInt64) -> Bool { random.multipliedFullWidth(by: 100).high < percent }

    /// Takes a place for a copy; false where as many as may be are on their way.
    func begin() -> Bool { copies.begin(max: copiesMax) }

    /// Gives the place of a copy back.
    func end(_ result: MirrorResult) {
        copies.end()
        note(result)
    }

    func note(_ result: MirrorResult) {
        destination.upstream.report.mirrored.note(result)
    }
}
