// SPDX-License-Identifier: Apache-2.0
// One lookup, and what must hold of it.

import FuzzSupport
import WeirRouting

struct Lookup {
    let outcome: RouteOutcome
    private let match: RouteMatch
    private let host: [UInt8]
    /// Empty for a refused path.
    private let normalized: [UInt8]

    init(_ method: UInt8, _ host: [UInt8], _ path: Span<UInt8>) {
        var match = RouteMatch()
        var scratch = [UInt8](repeating: 0xEE, count: path.count)
        var memory = scratch.mutableSpan
        outcome = FuzzedRoute.table.lookup(
            method: method,
            host: host.span,
            path: path,
            match: &match,
            scratch: &memory
        )
        self.match = match
        self.host = host
        let original = path.indices.map { path[$0] }
        normalized = Array((match.usesScratch ? scratch : original).prefix(match.normalizedCount))
    }

    /// Traps unless the answer is safe and right for itself.
    func check(_ path: Span<UInt8>) {
        if case .invalidPath = outcome {
            precondition(match.normalizedCount == 0 && match.route == -1 && match.parameterCount == 0)
            return
        }
        checkNormalized()
        // See the discussion of `RouteTable`: 256 alternatives, for each of at most four hosts in a chain.
        precondition(match.nodesVisited <= 4 * 256 * (path.count + 2), "a lookup costs more than its bound")
        if outcome == .found { checkParameters() }
    }

    /// Absolute, without control bytes, backslashes and dot segments.
    private func checkNormalized() {
        precondition(normalized.first == slash)
        precondition(normalized.allSatisfy { $0 >= 0x20 && $0 != 0x7F && $0 != UInt8(ascii: "\\") })
        for segment in normalized.split(separator: slash, omittingEmptySubsequences: false) {
            precondition(!segment.elementsEqual(".".utf8) && !segment.elementsEqual("..".utf8), "a dot segment")
        }
    }

    /// Traps unless the normalized path is normal for good: escaped again, as whoever passes it on would, it comes back
    /// as the same.
    func checkThatNormalizedStays() {
        if case .invalidPath = outcome { return }
        let percent = UInt8(ascii: "%")
        let escaped = normalized.flatMap { $0 == percent ? Array("%25".utf8) : [$0] }
        precondition(Lookup(0, host, escaped.span).normalized == normalized, "normalizing twice differs from once")
    }

    /// The parameters put into the pattern make the path again.
    private func checkParameters() {
        let pattern = FuzzedRoute.all[Int(match.route)].pattern
        var path: [UInt8] = []
        var index = 0
        for segment in pattern.utf8.dropFirst().split(separator: slash, omittingEmptySubsequences: false) {
            path.append(slash)
            if segment.first == UInt8(ascii: ":") || segment.first == UInt8(ascii: "*") {
                let (start, count) = match.parameter(index)
                let value = normalized[start..<(start + count)]
                if segment.first == UInt8(ascii: ":") { precondition(!value.isEmpty && !value.contains(slash)) }
                path += value
                index += 1
            } else {
                path += decoded(segment)
            }
        }
        precondition(index == match.parameterCount && path == normalized, "the pattern does not make the path")
    }

    /// Traps unless the answers for one path and all methods fit each other.
    ///
    /// - Parameters:
    ///   - method: the method that this lookup was for.
    ///   - found: the methods that have a route.
    ///   - first: the answer for GET.
    func check(method: MethodSet, found: MethodSet, as first: Lookup) {
        precondition(normalized == first.normalized, "the method changes the path")
        switch outcome {
        case .found:
            precondition(match.allowed.isEmpty)
            precondition(!match.isAutomaticHead || method == .head && found.contains(.get))
        case .notFound:
            precondition(found.isEmpty, "not found, and yet there is a route for another method")
        case .automaticOptions, .methodNotAllowed:
            precondition((outcome == .automaticOptions) == (method == .options))
            precondition(match.allowed == found.union(.options), "Allow is not what there is")
        case .invalidPath:
            precondition(outcome == first.outcome)
        }
    }

    private func decoded(_ literal: Substring.UTF8View) -> [UInt8] {
        var bytes: [UInt8] = []
        var rest = literal[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = String(decoding: rest.prefix(2), as: UTF8.self)
            rest = rest.dropFirst(2)
            guard let value = UInt8(digits, radix: 16) else { preconditionFailure("an escape in a pattern") }
            bytes.append(value)
        }
        return bytes
    }

    private var slash: UInt8 { UInt8(ascii: "/") }
}
