// SPDX-License-Identifier: Apache-2.0
// What is wrong with a file of baselines: one line each.

package enum BaselineError: Error, Equatable, CustomStringConvertible {
    case format(Int)
    case noVersion
    case tooMany(String, Int)
    case range(String, Double, ClosedRange<Double>)
    case order(String, Double, Double)
    /// Not of the form at all: where, and what the decoder says.
    case form(String, String)

    /// What a decoder has thrown.
    package init(_ error: DecodingError) {
        switch error {
        case .keyNotFound(let key, let context):
            self = .form(Self.path(context.codingPath + [key]), "is missing")
        case .valueNotFound(_, let context):
            self = .form(Self.path(context.codingPath), "is missing")
        case .typeMismatch(let type, let context):
            self = .form(Self.path(context.codingPath), "is no \(Self.name(type))")
        case .dataCorrupted(let context):
            self = .form(Self.path(context.codingPath), "cannot be read: \(Self.line(context.debugDescription))")
        @unknown default:
            self = .form("the file", "cannot be read")
        }
    }

    package var description: String {
        switch self {
        case .format(let number): "format is \(number); this version reads \(Baseline.formatKnown)"
        case .noVersion: "version is empty; it names the version that the baseline is of"
        case .tooMany(let field, let count): "\(field) has \(count) entries; at most \(Baseline.entriesMax) are read"
        case .range(let path, let value, let range):
            "\(path) is \(value); it is from \(range.lowerBound) to \(range.upperBound)"
        case .order(let path, let p50, let p95):
            "\(path).latency_p50_seconds is \(p50), more than latency_p95_seconds, which is \(p95)"
        case .form(let path, let what): "\(path) \(what)"
        }
    }

    private static func path(_ keys: [any CodingKey]) -> String {
        guard let first = keys.first else { return "the file" }
        // Names of routes and upstreams are the file's: quoted, so that none breaks the line.
        return keys.dropFirst().enumerated()
            .reduce(first.stringValue) { path, key in
                key.offset == 0 && (first.stringValue == "routes" || first.stringValue == "upstreams")
                    ? "\(path)[\(key.element.stringValue.debugDescription)]" : "\(path).\(key.element.stringValue)"
            }
    }

    private static func name(_ type: any Any.Type) -> String {
        switch type {
        case is Double.Type: "number"
        case is Int.Type: "whole number"
        case is String.Type: "text"
        default: "object"
        }
    }

    private static func line(_ text: String) -> String {
        String(text.map { $0.isNewline ? " " : $0 })
    }
}
