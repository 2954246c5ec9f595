// SPDX-License-Identifier: Apache-2.0
// A slow, obvious router that says in few lines what the table has to do.

import WeirRouting

/// Tries every route on every request, and sorts what matches by precedence.
struct ModelRouter {
    enum Segment: Equatable {
        case literal([UInt8])
        case parameter, catchAll

        /// Smaller goes first.
        var rank: Int {
            switch self {
            case .literal: 0
            case .parameter: 1
            case .catchAll: 2
            }
        }
    }

    struct Route {
        let methods: MethodSet
        let host: String?
        let segments: [Segment]
        let number: Int
    }

    private(set) var routes: [Route] = []

    /// False if the route conflicts with one that is there.
    mutating func add(_ methods: MethodSet, host: String?, pattern: String, number: Int) -> Bool {
        let segments = Self.split(Array(pattern.utf8)).map { segment -> Segment in
            switch segment.first {
            case UInt8(ascii: ":"): .parameter
            case UInt8(ascii: "*"): .catchAll
            default: .literal(Self.decode(segment) ?? [])
            }
        }
        for route in routes where route.segments == segments && route.host == host {
            if !route.methods.isDisjoint(with: methods) { return false }
        }
        routes.append(Route(methods: methods, host: host, segments: segments, number: number))
        return true
    }

    func answer(_ method: UInt8, host: String, path: [UInt8]) -> Answer {
        guard let path = Self.normalize(path) else { return Answer(kind: .invalid) }
        let host = Self.canonical(host)
        let groups = Set(routes.map(\.host)).filter { Self.matches(host, $0) }.sorted {
            Self.hostRank($0) > Self.hostRank($1)
        }
        for group in groups {
            let matching = routes.filter { $0.host == group && Self.capture($0.segments, path) != nil }
            if !matching.isEmpty { return Self.choose(matching, MethodSet(methodIndex: method), path) }
        }
        return Answer(kind: .notFound)
    }

    private static func choose(_ matching: [Route], _ method: MethodSet, _ path: [[UInt8]]) -> Answer {
        let shapes = matching.map { $0.segments.map(\.rank) }.sorted { $0.lexicographicallyPrecedes($1) }
        for shape in shapes {
            let same = matching.filter { $0.segments.map(\.rank) == shape }
            for wanted in method == .head ? [.head, .get] : [method] {
                guard let route = same.first(where: { $0.methods.contains(wanted) }) else { continue }
                return Answer(
                    kind: .found,
                    route: route.number,
                    parameters: capture(route.segments, path) ?? [],
                    isAutomaticHead: wanted != method
                )
            }
        }
        var allowed = matching.reduce(into: MethodSet.options) { $0.formUnion($1.methods) }
        if allowed.contains(.get) { allowed.insert(.head) }
        return Answer(kind: method == .options ? .automaticOptions : .methodNotAllowed, allowed: allowed)
    }

    private static func capture(_ segments: [Segment], _ path: [[UInt8]]) -> [String]? {
        var captured: [String] = []
        for (index, segment) in segments.enumerated() {
            guard index < path.count else { return nil }
            switch segment {
            case .literal(let bytes):
                if bytes != path[index] { return nil }
            case .parameter:
                if path[index].isEmpty { return nil }
                captured.append(String(decoding: path[index], as: UTF8.self))
            case .catchAll:
                return captured + [String(decoding: Array(path[index...].joined(separator: [0x2F])), as: UTF8.self)]
            }
        }
        return segments.count == path.count ? captured : nil
    }

    // MARK: paths

    /// The segments of the decoded path without dot segments, or nil for a path to refuse.
    private static func normalize(_ path: [UInt8]) -> [[UInt8]]? {
        guard path.first == UInt8(ascii: "/") else { return nil }
        var result: [[UInt8]] = []
        let segments = split(path)
        for (index, raw) in segments.enumerated() {
            guard let segment = decode(raw) else { return nil }
            let isLast = index == segments.count - 1
            switch String(decoding: segment, as: UTF8.self) {
            case ".":
                if isLast { result.append([]) }
            case "..":
                if result.popLast() == nil { return nil }
                if isLast { result.append([]) }
            default:
                result.append(segment)
            }
        }
        return result
    }

    private static func split(_ path: [UInt8]) -> [[UInt8]] {
        path.dropFirst().split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).map(Array.init)
    }

    private static func decode(_ segment: [UInt8]) -> [UInt8]? {
        var result: [UInt8] = []
        var rest = segment[...]
        while var byte = rest.popFirst() {
            if byte == UInt8(ascii: "%") {
                let digits = rest.prefix(2)
                guard digits.count == 2, digits.allSatisfy({ "0123456789abcdefABCDEF".utf8.contains($0) }),
                    let value = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
                else { return nil }
                rest = rest.dropFirst(2)
                byte = value
                if byte == UInt8(ascii: "/") { return nil }
            }
            if byte < 0x20 || byte == 0x7F || byte == UInt8(ascii: "\\") { return nil }
            result.append(byte)
        }
        return result
    }

    // MARK: hosts

    private static func canonical(_ host: String) -> String {
        var host = host.lowercased()
        if let colon = host.firstIndex(of: ":") { host = String(host[..<colon]) }
        if host.hasSuffix("."), host.count > 1 { host.removeLast() }
        return host
    }

    private static func matches(_ host: String, _ pattern: String?) -> Bool {
        guard let pattern else { return true }
        guard pattern.hasPrefix("*") else { return host == pattern }
        return host.hasSuffix(pattern.dropFirst()) && host.utf8.count > pattern.utf8.count - 1
    }

    private static func hostRank(_ pattern: String?) -> Int {
        guard let pattern else { return 0 }
        return pattern.hasPrefix("*") ? pattern.utf8.count : 1000
    }
}
