// SPDX-License-Identifier: Apache-2.0
// Which requests of a route are copied to another upstream, and how many copies may be on their way. Part of the
// snapshot; shared by all loops.

import WeirHTTP
import WeirUpstream

/// A route's mirror. It is the taker of every copy that it sends: what a copy needs is in its connection.
final class RouteMirror: Sendable {
    /// What marks a copy, in lower case. A request that has it is one already, and is not copied again: two gateways
    /// that mirror to each other would do so for ever.
    static let markName = Array("x-weir-mirrored".utf8)
    /// The line that marks it.
    static let mark: StaticString = "X-Weir-Mirrored: 1\r\n"

    let destination: RouteUpstream
    private let percent: UInt64
    private let copiesMax: Int
    private let copies: MirrorCopies

    /// Nil where its upstream is not there.
    init?(_ mirror: Mirror, _ copies: MirrorCopies, _ upstreams: [RouteUpstream]) {
        guard let destination = upstreams.first(where: { $0.upstream.name == mirror.upstream }) else { return nil }
        self.destination = destination
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

    // MARK: What the endpoint does

    /// The taker of a copy; it keeps the mirror until ``ended(_:_:)``.
    func taker() -> UpstreamEvents.Taker { Unmanaged.passRetained(self).toOpaque() }

    private static func ended(_ taker: UpstreamEvents.Taker, _ result: MirrorResult) {
        Unmanaged<RouteMirror>.fromOpaque(taker).takeRetainedValue().end(result)
    }

    /// A copy is over with the head of its response; the rest is read for the sake of the connection only.
    static let events = UpstreamEvents(
        connected: { _, _ in },
        head: { taker, connection, _ in
            guard !connection.parser.pointee.head.isInterim else { return }
            connection.discard()
            ended(taker, .answered)
        },
        body: { _, _, _ in },
        ended: { _, _, _, _ in },
        halfClosed: { _, _ in },
        // Told once more behind the end, when the mirror may be gone.
        settled: { _, _ in },
        drained: { _, _ in },
        failed: { taker, _, fault in ended(taker, fault == .attemptTimeout ? .timeout : .failed) },
        available: { _ in }
    )
}
