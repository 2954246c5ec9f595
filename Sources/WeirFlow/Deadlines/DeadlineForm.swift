// SPDX-License-Identifier: Apache-2.0
// How a header field says how long its sender still waits. Pure.

/// The form of a field's value that says how much time is left. 0 is a deadline too: nothing is left.
package enum DeadlineForm: Sendable, CaseIterable {
    /// `grpc-timeout`: one to eight digits and one of `H M S m u n` (gRPC over HTTP/2, "Timeout").
    case grpc
    /// Whole milliseconds: `x-envoy-expected-rq-timeout-ms`.
    case milliseconds
    /// A number, which may have decimals, and one of `h m s ms us ns`; without a unit milliseconds: `1.5s`, `250`.
    case duration

    /// More than this is read as this: an instant of the clock can be added to it.
    package static let timeMax = Nanoseconds(Int64.max)

    /// The time that `value` leaves; nil where it is not of this form. There are no blanks around a field's value.
    ///
    /// What is malformed is no deadline, as in Envoy: a field that a recipient need not understand is no reason to refuse
    /// the request, as a gRPC server does. Cut off to the nanosecond, so it is never more than what was meant. Does not
    /// allocate.
    package func read(_ value: Span<UInt8>) -> Nanoseconds? {
        var number = DecimalNumber()
        number.readWhole(value)
        guard number.end > 0 else { return nil }
        if self == .duration, !number.readDecimals(value) { return nil }
        let suffix = value.extracting(number.end..<value.count)
        switch self {
        case .grpc:
            guard number.end <= Self.grpcDigitsMax, suffix.count == 1 else { return nil }
            return TimeUnit(grpcLetter: suffix[0]).map { number.scaled(to: $0) }
        case .milliseconds:
            return suffix.isEmpty ? number.scaled(to: .millisecond) : nil
        case .duration:
            return TimeUnit(symbol: suffix).map { number.scaled(to: $0) }
        }
    }

    static let grpcDigitsMax = 8
}
