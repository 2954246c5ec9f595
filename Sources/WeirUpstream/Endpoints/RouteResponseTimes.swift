// SPDX-License-Identifier: Apache-2.0
// How long an endpoint has taken to answer of late, route by route. Shared by all loops.

package import WeirEventLoop

/// The response times of an endpoint for each route that asks it.
///
/// One median for all of them would be that of the busiest route: reports that take seconds would have quick look-ups
/// refused that have less time, and the other way round reports would be begun that nobody can wait for.
///
/// A place is one cache line. Routes are told apart by their index; a route beyond `routesMax` shares the place of an
/// earlier one. After a reload a route may meet the times of another: five answers put that right, and one call in 20
/// is made meanwhile.
package struct RouteResponseTimes: ~Copyable, Sendable {
    package static let routesMax = 64

    /// A place for each route.
    struct Places: ~Copyable, Sendable {
        let times = InlineArray<64, ResponseTimes> { _ in ResponseTimes() }
    }

    private let lines = CacheLine(Places())

    /// As `ResponseTimes.median`.
    package func median(route: Int) -> Nanoseconds { lines.address.pointee.times[Self.place(route)].median }

    /// As `ResponseTimes.note`.
    package func note(_ time: Nanoseconds, route: Int) { lines.address.pointee.times[Self.place(route)].note(time) }

    /// As `ResponseTimes.noteGivenUp`.
    package func noteGivenUp(_ time: Nanoseconds, route: Int) {
        lines.address.pointee.times[Self.place(route)].noteGivenUp(time)
    }

    /// As `ResponseTimes.noteUnanswered`.
    @discardableResult
    package func noteUnanswered(_ time: Nanoseconds, route: Int) -> Bool {
        lines.address.pointee.times[Self.place(route)].noteUnanswered(time)
    }

    /// As `ResponseTimes.admits`.
    package func admits(_ left: Nanoseconds, route: Int, at now: Nanoseconds) -> Bool {
        lines.address.pointee.times[Self.place(route)].admits(left, at: now)
    }

    private static func place(_ route: Int) -> Int { Int(UInt(bitPattern: route) % UInt(routesMax)) }
}
