// SPDX-License-Identifier: Apache-2.0
// The field lines of a received head, on their way to the other side of a gateway.

extension HeadWriter {
    /// The lines that go on (`ForwardedRuns`), as they came: the parser has checked them, so they are not checked again.
    /// `bytes` is what was parsed.
    package mutating func forward(
        _ fields: borrowing FieldSection,
        in bytes: Span<UInt8>,
        omitting omitted: HeaderNameSet = HeaderNameSet()
    ) {
        var runs = ForwardedRuns(omitting: omitted)
        while let run = runs.next(fields, in: bytes) { raw(bytes.extracting(run.bounds)) }
    }
}
