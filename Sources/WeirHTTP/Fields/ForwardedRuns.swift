// SPDX-License-Identifier: Apache-2.0
// Which bytes of a received head a gateway passes on: few long runs, so that copying them is a few calls of memcpy.

/// Walks over the field lines that go on, as runs of whole lines that are as long as can be.
///
/// Left out are, by name:
/// 1. the hop-by-hop fields (`HeaderNameSet.hopByHop`);
/// 2. what the caller asks to leave out, because it writes its own or none;
/// 3. each field that Connection names, if it is no `HeaderName`. The known ones that are not hop-by-hop (Host,
///    Content-Length, Authorization, Cookie, X-Forwarded-For, …) are meant for every recipient, and RFC 9110
///    section 7.6.1 forbids to name them there. Who does so all the same wants to hide from the endpoint what the
///    gateway has judged the request by, or what a proxy in front has added, so it has no effect;
/// 4. Content-Length, in a response that can have no body: 1xx, 204 and 2xx to CONNECT. In all others it is passed on
///    unless the caller leaves it out: it is there only once and was read by the rules of `BodyFraming`.
///
/// A head that has none of these is one run. Holds offsets only; the bytes and the fields are the caller's.
///
/// - Complexity: constant for a head with nothing to leave out, else linear in the number of fields, times at most 16
///   for names that are not known if Connection names such. Does not allocate.
package struct ForwardedRuns: Sendable {
    private let omitted: HeaderNameSet
    private var index = 0

    package init(omitting omitted: HeaderNameSet = HeaderNameSet()) {
        self.omitted = omitted
    }

    /// The next run, which ends with a CRLF, or nil. `fields` are those of a complete head and `bytes` is what was
    /// parsed, the same in each call.
    package mutating func next(_ fields: borrowing FieldSection, in bytes: Span<UInt8>) -> ByteRange? {
        let omitted = omitted.union(fields.withheld)
        let count = fields.count
        while index < count, !Self.isForwarded(fields.field(index), fields, bytes, omitted) { index &+= 1 }
        guard index < count else { return nil }
        let start = Int(fields.field(index).name.start)
        if fields.seen.isDisjoint(with: omitted), fields.connection.namedCount == 0 {
            index = count
        } else {
            repeat {
                index &+= 1
            } while index < count
                && Self.isForwarded(fields.field(index), fields, bytes, omitted)
        }
        // A line begins with its name, and the empty line is where the parser has stopped.
        return ByteRange(start, index < count ? Int(fields.field(index).name.start) : fields.lineStart)
    }

    @inline(__always)
    private static func isForwarded(
        _ field: HeaderField,
        _ fields: borrowing FieldSection,
        _ bytes: Span<UInt8>,
        _ omitted: HeaderNameSet
    ) -> Bool {
        if omitted.contains(field.known) { return false }
        if field.known.isOne || fields.connection.namedCount == 0 { return true }
        return !fields.connection.names(field.name, in: bytes)
    }
}
