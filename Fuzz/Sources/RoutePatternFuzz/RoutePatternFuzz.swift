// SPDX-License-Identifier: Apache-2.0
// Any lines as route patterns: a table takes them or says why not, and what it took it finds.

import WeirRouting

@c(LLVMFuzzerTestOneInput)
public func fuzzRoutePattern(_ start: UnsafePointer<UInt8>, _ count: Int) -> CInt {
    // libFuzzer's memory, valid and constant during this call.
    let bytes = unsafe Array(UnsafeBufferPointer(start: start, count: count))
    var builder = RouteTableBuilder()
    var paths: [[UInt8]] = []
    for line in bytes.split(separator: UInt8(ascii: "\n")).prefix(32) {
        let pattern = String(decoding: line, as: UTF8.self)
        do throws(RoutingError) {
            try builder.add(.get, host: nil, pattern: pattern, route: paths.count)
            paths.append(path(of: pattern))
        } catch {
            precondition(!error.description.isEmpty, "a fault without a word")
        }
    }
    let table = builder.build(version: 1)
    for (route, path) in paths.enumerated() { check(table, route, path) }
    return 0
}

/// A path that the pattern matches: with a text of its own for each parameter.
private func path(of pattern: String) -> [UInt8] {
    let segments = Array(pattern.utf8).split(separator: slash, omittingEmptySubsequences: false).map { segment in
        switch segment.first {
        case UInt8(ascii: ":"), UInt8(ascii: "*"): Array("any thing".utf8)
        default: Array(segment)
        }
    }
    return Array(segments.joined(separator: [slash]))
}

private let slash = UInt8(ascii: "/")

/// Another route may match the path as well, and be the better one; none may not be.
private func check(_ table: RouteTable, _ route: Int, _ path: [UInt8]) {
    var match = RouteMatch()
    var scratch = [UInt8](repeating: 0, count: path.count)
    var memory = scratch.mutableSpan
    let host: [UInt8] = []
    let outcome = table.lookup(method: 0, host: host.span, path: path.span, match: &match, scratch: &memory)
    precondition(outcome == .found, "a pattern does not find its own path: \(outcome)")
    precondition(match.parameterCount == table.parameterNames(of: Int(match.route)).count, "a parameter has no name")
}
