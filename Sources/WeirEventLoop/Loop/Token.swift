// SPDX-License-Identifier: Apache-2.0
// What travels through the poller with each descriptor, and tells which of a loop's things an event is about.

/// 8 bits of kind, 24 of generation, 32 of slot. The generation tells a stale event for a reused slot.
struct Token {
    enum Kind: UInt8 {
        case channel
        case listener
        case wake
        case watch
    }

    let kind: Kind
    let generation: UInt32
    let slot: UInt32

    init(_ value: UInt64) {
        kind = Kind(rawValue: UInt8(truncatingIfNeeded: value >> 56)) ?? .wake
        generation = UInt32(truncatingIfNeeded: value >> 32) & 0xFF_FFFF
        slot = UInt32(truncatingIfNeeded: value)
    }

    static var wake: UInt64 { UInt64(Kind.wake.rawValue) << 56 }

    static func listener(_ index: Int) -> UInt64 { UInt64(Kind.listener.rawValue) << 56 | UInt64(UInt32(index)) }

    static func watch(slot: UInt32, generation: UInt32) -> UInt64 {
        UInt64(Kind.watch.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(slot)
    }

    static func channel(slot: UInt32, generation: UInt32) -> UInt64 {
        UInt64(Kind.channel.rawValue) << 56 | UInt64(generation & 0xFF_FFFF) << 32 | UInt64(slot)
    }
}
