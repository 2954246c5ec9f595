// SPDX-License-Identifier: Apache-2.0
// The units of the values that say how much time is left. Pure.

/// A unit of time, from the finest.
enum TimeUnit: UInt8 {
    case nanosecond
    case microsecond
    case millisecond
    case second
    case minute
    case hour

    /// The next longer one.
    var coarser: TimeUnit? { TimeUnit(rawValue: rawValue &+ 1) }

    var nanoseconds: Nanoseconds {
        switch self {
        case .nanosecond: 1
        case .microsecond: 1000
        case .millisecond: 1_000_000
        case .second: 1_000_000_000
        case .minute: 60_000_000_000
        case .hour: 3_600_000_000_000
        }
    }

    /// Its letter in `grpc-timeout`.
    var grpcLetter: UInt8 {
        switch self {
        case .nanosecond: UInt8(ascii: "n")
        case .microsecond: UInt8(ascii: "u")
        case .millisecond: UInt8(ascii: "m")
        case .second: UInt8(ascii: "S")
        case .minute: UInt8(ascii: "M")
        case .hour: UInt8(ascii: "H")
        }
    }

    init?(grpcLetter: UInt8) {
        switch grpcLetter {
        case UInt8(ascii: "n"): self = .nanosecond
        case UInt8(ascii: "u"): self = .microsecond
        case UInt8(ascii: "m"): self = .millisecond
        case UInt8(ascii: "S"): self = .second
        case UInt8(ascii: "M"): self = .minute
        case UInt8(ascii: "H"): self = .hour
        default: return nil
        }
    }

    /// As people write it: `h m s ms us ns`; nothing stands for milliseconds.
    init?(symbol: Span<UInt8>) {
        switch (symbol.count, symbol.isEmpty ? 0 : symbol[0]) {
        case (0, _): self = .millisecond
        case (1, UInt8(ascii: "h")): self = .hour
        case (1, UInt8(ascii: "m")): self = .minute
        case (1, UInt8(ascii: "s")): self = .second
        case (2, UInt8(ascii: "m")) where symbol[1] == UInt8(ascii: "s"): self = .millisecond
        case (2, UInt8(ascii: "u")) where symbol[1] == UInt8(ascii: "s"): self = .microsecond
        case (2, UInt8(ascii: "n")) where symbol[1] == UInt8(ascii: "s"): self = .nanosecond
        default: return nil
        }
    }
}
