// SPDX-License-Identifier: Apache-2.0
// The compiled routes: an immutable snapshot that any number of threads read.

/// The compiled routes of a server: immutable, shared between threads without locks.
///
/// **Paths.** A path without `%`, without `/.` and without bytes to refuse is used as it came, nothing is copied.
/// Otherwise one pass writes the normalized path to the caller's scratch memory:
/// - Every percent escape is decoded, once: `%252F` becomes the three characters `%2F`. Who forwards a normalized path
///   has to encode it again.
/// - An escape without two hexadecimal digits, a control byte (also NUL, also decoded), an encoded slash `%2F` and a
///   backslash (also `%5C`) are refused: two readers could take them for different paths.
/// - Dot segments, however they are written (`.`, `%2e`, `.%2E`), are removed after decoding by RFC 3986, 5.2.4. A
///   path that climbs above the root is refused.
/// - Empty segments stay: `/a//b` is not `/a/b`. Bytes that are no UTF-8 stay as well.
///
/// **Patterns.** See ``RouteTableBuilder``. Segment by segment, a literal goes before a parameter and a parameter
/// before a catch-all; where the better choice leads to no route, the next one is tried.
///
/// **Methods.** The first pattern in this order that has a route for the method wins, even if a better pattern has
/// routes for other methods only. A pattern's GET answers HEAD unless the pattern has a route for HEAD itself. If
/// patterns match but none has the method, the answer is `methodNotAllowed`, or `automaticOptions` for OPTIONS, and
/// `allowed` names the methods of all patterns that match.
///
/// **Hosts.** The exact host goes before wildcards, longer wildcards before shorter ones, and both before routes for
/// any host. A less specific host is asked only if the path has no route at all, whatever the method, on the host
/// before. Case, port and one trailing dot do not count.
///
/// **Cost.** Within one host a lookup visits at most `alternativesMax` × (bytes of the path + 2) nodes, whatever path
/// is sent; `alternativesMax` is 256, enforced when routes are added (``RoutingError``). Proof: nodes are visited in
/// depth-first order, each at most once. The visited ones form a tree whose number of dead ends is at most the bound
/// kept by the builder (literal children exclude each other, the other choices add up), and from the root to a dead
/// end each node but the first and the last takes at least one byte. No alternative reads a byte of the path twice, so
/// the bytes read are at most `alternativesMax` × the path's. Usual tables have 1 or 2 alternatives. Hosts add up along
/// the chain exact, wildcards, any.
package final class RouteTable: Sendable {
    /// The number that ``RouteTableBuilder/build(version:)`` was given.
    package let version: UInt64

    private let tree: RadixTree
    private let hosts: HostIndex
    private let names: [Int32: [String]]

    init(
        version: UInt64,
        compiled: borrowing RadixCompiler,
        hosts: consuming HostIndex,
        parameterNames: [Int32: [String]]
    ) {
        self.version = version
        tree = RadixTree(compiled)
        self.hosts = hosts
        names = parameterNames
    }

    /// The names of a route's parameters, by slot; a catch-all without a name is `*`. Empty for unknown routes.
    ///
    /// Hashes and counts references: ask once when the table is installed, not per request.
    package func parameterNames(of route: Int) -> [String] {
        Int32(exactly: route).flatMap { names[$0] } ?? []
    }

    /// Finds the route for a request. May be called from any thread; allocates nothing.
    ///
    /// - Parameters:
    ///   - method: the method's index (see ``MethodSet``); above 9 counts as "other".
    ///   - host: the authority as received: any case, with or without a port, may be empty.
    ///   - path: the path as received, without the query, starting with `/`.
    ///   - match: gets the particulars; every field is set anew.
    ///   - scratch: memory for the normalized path, at least as long as `path`. Written only if the path has to change,
    ///     and then `match.usesScratch` is true (except where the outcome is `invalidPath`).
    /// - Complexity: O(bytes) for usual tables; the bound for any table is in the discussion of the type.
    package func lookup(
        method: UInt8,
        host: Span<UInt8>,
        path: Span<UInt8>,
        match: inout RouteMatch,
        scratch: inout MutableSpan<UInt8>
    ) -> RouteOutcome {
        match.reset()
        switch PathNormalizer.normalize(path, into: &scratch) {
        case .fault(let fault):
            return .invalidPath(fault)
        case .unchanged:
            match.normalizedCount = path.count
            return find(method, host, path, &match)
        case .rewritten(let count):
            match.usesScratch = true
            match.normalizedCount = count
            return find(method, host, scratch.span.extracting(0..<count), &match)
        }
    }

    private func find(
        _ methodIndex: UInt8,
        _ host: Span<UInt8>,
        _ path: Span<UInt8>,
        _ match: inout RouteMatch
    ) -> RouteOutcome {
        let method = MethodSet(methodIndex: methodIndex)
        var index = hosts.mostSpecific(host)
        while true {
            let entry = hosts.entry(index)
            if tree.walk(from: entry.root, path, method: method.rawValue, match: &match) {
                match.allowed = []
                return .found
            }
            if !match.allowed.isEmpty {
                match.allowed = match.allowed.withAutomaticMethods
                return method == .options ? .automaticOptions : .methodNotAllowed
            }
            if index == 0 { return .notFound }
            index = Int(entry.lessSpecific)
        }
    }
}
