// SPDX-License-Identifier: Apache-2.0
// Traffic tags: values of a request field that select an upstream, and what they are called in metrics and in the access
// log. Immutable but for the numbers of names, part of a snapshot; any loop.

import Synchronization
import WeirMetrics
import WeirUpstream

/// The tags of one route.
final class RouteTags: Sendable {
    private final class Tag: Sendable {
        let value: String
        let upstream: RouteUpstream
        /// The value's index in `Snapshot.names`.
        let index: Int
        /// And in the access log's names, once a request with it was logged. Relaxed: the log's thread learns the name
        /// from those names, under their mutex.
        let logIndex = Atomic<Int32>(Route.notLogged)

        init(_ value: String, _ upstream: RouteUpstream, index: Int) {
            self.value = value
            self.upstream = upstream
            self.index = index
        }
    }

    /// The field's name in lower case.
    private let header: [UInt8]
    /// The values, each behind a byte that says how long it is.
    private let values: [UInt8]
    private let tags: [Tag]

    /// - Parameters:
    ///   - upstreams: those of the snapshot; the check of the file has seen to it that each one is there.
    ///   - names: where the values get the numbers that metrics count them by.
    init(_ configuration: TrafficTags, _ upstreams: [RouteUpstream], _ names: IndexedNames) {
        header = Array(configuration.header.utf8)
        tags = configuration.tags.compactMap { tag in
            upstreams.first { $0.upstream.name == tag.upstream }
                .map { Tag(tag.value, $0, index: names.index(of: tag.value)) }
        }
        values = tags.flatMap { [UInt8($0.value.utf8.count)] + Array($0.value.utf8) }
    }

    /// The place of the request's tag among these; -1 where its first field of the name has another value, or it has no
    /// such field that goes on: what selects an upstream is seen by it. Does not allocate.
    func place(for exchange: Exchange) -> Int16 {
        guard let value = exchange.forwardedFieldValue(lowercaseName: header) else { return -1 }
        return values.withUnsafeBytes { values in
            var place: Int16 = 0
            var start = 1
            while start <= values.count {
                let end = start + Int(values[start - 1])
                if end - start == value.count, values[start..<end].elementsEqual(value) { return place }
                place += 1
                start = end + 1
            }
            return -1
        }
    }

    /// The upstream of the tag at a place; nil for -1.
    func upstream(_ place: Int16) -> RouteUpstream? {
        place < 0 ? nil : tags[Int(place)].upstream
    }

    /// What metrics count the tag at a place by.
    func counted(_ place: Int16) -> UInt16 {
        // Beyond the most names there is no number: -1.
        place < 0 ? TagCounters.none : UInt16(exactly: tags[Int(place)].index) ?? TagCounters.none
    }

    /// The number of the tag at a place in the access log's names; -1 for none.
    func logIndex(_ place: Int16, in names: IndexedNames) -> Int32 {
        guard place >= 0 else { return -1 }
        let tag = tags[Int(place)]
        let known = tag.logIndex.load(ordering: .relaxed)
        if known != Route.notLogged { return known }
        let index = Int32(names.index(of: tag.value))
        tag.logIndex.store(index, ordering: .relaxed)
        return index
    }
}

extension Exchange {
    /// Calls `body` with the tags of its route and the place of its own; nil where the route has none.
    @inline(__always)
    func withTags<Result>(_ body: (RouteTags, Int16) -> Result) -> Result? {
        routeReference?._withUnsafeGuaranteedRef { route in
            route.tagsReference?._withUnsafeGuaranteedRef { body($0, tag) }
        }
    }

    /// The upstream that something about this request selects: that of a degraded route, or that of its tag.
    func chosenUpstream(of route: Route) -> RouteUpstream? {
        route.otherUpstream(for: self) ?? withTags { $0.upstream($1) } ?? nil
    }
}
