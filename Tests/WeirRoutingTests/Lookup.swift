// SPDX-License-Identifier: Apache-2.0
// One lookup with memory of its own, as the tests ask for it.

import WeirRouting

/// Everything a lookup left behind.
struct Lookup {
    var outcome: RouteOutcome
    var match: RouteMatch
    var normalized: [UInt8]

    init(_ table: RouteTable, _ method: UInt8 = 0, host: String = "", path: [UInt8], match: RouteMatch = RouteMatch()) {
        var match = match
        let authority = Array(host.utf8)
        var scratch = [UInt8](repeating: 0xEE, count: path.count)
        var scratchSpan = scratch.mutableSpan
        outcome = table.lookup(
            method: method,
            host: authority.span,
            path: path.span,
            match: &match,
            scratch: &scratchSpan
        )
        self.match = match
        normalized = Array((match.usesScratch ? scratch : path).prefix(match.normalizedCount))
    }

    init(_ table: RouteTable, host: String = "", _ path: String) {
        self.init(table, host: host, path: Array(path.utf8))
    }

    init(_ table: RouteTable, _ method: UInt8, host: String = "", _ path: String) {
        self.init(table, method, host: host, path: Array(path.utf8))
    }

    var parameters: [String] {
        (0..<match.parameterCount).map { index in
            let (start, count) = match.parameter(index)
            return String(decoding: normalized[start..<(start + count)], as: UTF8.self)
        }
    }

    var answer: Answer {
        let kind: Answer.Kind =
            switch outcome {
            case .found: .found
            case .automaticOptions: .automaticOptions
            case .methodNotAllowed: .methodNotAllowed
            case .notFound: .notFound
            case .invalidPath: .invalid
            }
        return Answer(
            kind: kind,
            route: match.route < 0 ? nil : Int(match.route),
            parameters: parameters,
            allowed: match.allowed,
            isAutomaticHead: match.isAutomaticHead
        )
    }
}

extension RouteTable {
    /// A table of GET routes for any host, numbered in order.
    static func of(_ patterns: [String]) throws -> RouteTable {
        var builder = RouteTableBuilder()
        for (route, pattern) in patterns.enumerated() {
            try builder.add(.get, host: nil, pattern: pattern, route: route)
        }
        return builder.build(version: 1)
    }
}
