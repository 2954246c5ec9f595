// SPDX-License-Identifier: Apache-2.0
// Why a route cannot be added: what, in which pattern, and what would be right.

/// Why a route cannot be added to a ``RouteTableBuilder``. The builder is unchanged after any of them.
package enum RoutingError: Error, Equatable, CustomStringConvertible, Sendable {
    case notAbsolute(pattern: String)
    case tooLong(pattern: String, byteCount: Int, bytesMax: Int)
    case emptyParameterName(pattern: String)
    case invalidParameterName(pattern: String, name: String)
    case repeatedParameterName(pattern: String, name: String)
    case tooManyParameters(pattern: String, count: Int, countMax: Int)
    case catchAllNotLast(pattern: String)
    case partialSegment(pattern: String, segment: String)
    case dotSegment(pattern: String)
    case invalidEscape(pattern: String)
    case forbiddenByte(pattern: String, byte: UInt8)
    case noMethods(pattern: String)
    case invalidHost(host: String, reason: String)
    /// Host, shape and at least one method are those of a route that is there already, under `existingRoute`.
    case duplicate(pattern: String, existing: String, existingRoute: Int, host: String?, methods: MethodSet)
    /// A route was added before under the same number, with other parameter names.
    case parameterNamesDiffer(pattern: String, existing: String, route: Int)
    /// A lookup could have to try more alternatives than `alternativesMax`.
    case tooAmbiguous(pattern: String, host: String?, alternatives: Int, alternativesMax: Int)

    package var description: String {
        switch self {
        case .notAbsolute(let pattern):
            "route pattern \"\(pattern)\" does not start with \"/\"; write \"/\(pattern)\""
        case .tooLong(let pattern, let byteCount, let bytesMax):
            "route pattern \"\(pattern.prefix(64))…\" has \(byteCount) bytes; at most \(bytesMax) are allowed"
        case .emptyParameterName(let pattern):
            "route pattern \"\(pattern)\" has a parameter without a name; write \":name\", or \"%3A\" for a colon"
        case .invalidParameterName(let pattern, let name):
            "route pattern \"\(pattern)\": \"\(name)\" is no parameter name; letters, digits, \"_\" and \"-\" are"
        case .repeatedParameterName(let pattern, let name):
            "route pattern \"\(pattern)\" names two parameters \"\(name)\"; give each its own name"
        case .tooManyParameters(let pattern, let count, let countMax):
            "route pattern \"\(pattern)\" has \(count) parameters; at most \(countMax) are allowed"
        case .catchAllNotLast(let pattern):
            "route pattern \"\(pattern)\" goes on after its catch-all; \"*name\" can only be the last segment"
        case .partialSegment(let pattern, let segment):
            "route pattern \"\(pattern)\": \":\" or \"*\" inside of segment \"\(segment)\"; a parameter is a whole "
                + "segment, and the byte itself is written \"%3A\" or \"%2A\""
        case .dotSegment(let pattern):
            "route pattern \"\(pattern)\" has a segment \".\" or \"..\", which no request keeps; write the path "
                + "it leads to"
        case .invalidEscape(let pattern):
            "route pattern \"\(pattern)\" has a \"%\" without two hexadecimal digits; write \"%25\" for the byte itself"
        case .forbiddenByte(let pattern, let byte):
            "route pattern \"\(pattern)\" contains byte 0x\(String(byte, radix: 16)), raw or escaped, which can be in "
                + "no request's path; leave out control bytes, \"\\\", \"?\", \"#\" and \"%2F\""
        case .noMethods(let pattern):
            "route pattern \"\(pattern)\" is added for no method; name at least one"
        case .invalidHost(let host, let reason):
            "route host \"\(host)\": \(reason); write \"shop.example.com\", \"*.example.com\" or \"[::1]\""
        case .duplicate(let pattern, let existing, _, let host, let methods):
            "route patterns \"\(existing)\" and \"\(pattern)\" match the same paths on \(Self.name(host)) for "
                + "\(methods.allowHeader.isEmpty ? "other methods" : methods.allowHeader); remove one of them"
        case .parameterNamesDiffer(let pattern, let existing, let route):
            "route patterns \"\(existing)\" and \"\(pattern)\" are both route \(route) but name their parameters "
                + "differently; use the same names in the same order"
        case .tooAmbiguous(let pattern, let host, let alternatives, let alternativesMax):
            "route pattern \"\(pattern)\" on \(Self.name(host)) makes a path possible for which \(alternatives) "
                + "alternatives have to be tried; at most \(alternativesMax) are allowed: use fewer levels on which a "
                + "parameter stands beside fixed segments"
        }
    }

    /// A route's host in a sentence.
    package static func name(_ host: String?) -> String {
        host.map { "host \"\($0)\"" } ?? "any host"
    }
}
