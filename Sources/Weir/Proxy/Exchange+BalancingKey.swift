// SPDX-License-Identifier: Apache-2.0
// What keeps a request with an endpoint under `maglev`. On the loop's thread; allocates nothing.

import WeirEventLoop
import WeirUpstream

extension Exchange {
    /// A hash of what the upstream goes by, the same on every replica; of the client where the request has no such thing.
    func balancingKey(_ source: BalancingKeySource) -> UInt64 {
        switch source {
        case .client: break
        case .header(let name):
            if let value = fieldValue(lowercaseName: name), !value.isEmpty { return Self.hash(value) }
        case .cookie(let name):
            if let value = cookie(name) { return Self.hash(value) }
        }
        return Self.mixed(peer.limitKey)
    }

    /// The value of a cookie (RFC 6265 section 4.2.1).
    private func cookie(_ name: [UInt8]) -> UnsafeRawBufferPointer? {
        guard let field = fieldValue(lowercaseName: Self.cookieName) else { return nil }
        var start = 0
        while start < field.count {
            while start < field.count, field[start] == UInt8(ascii: " ") { start += 1 }
            var end = start
            while end < field.count, field[end] != UInt8(ascii: ";") { end += 1 }
            let valueStart = start + name.count + 1
            if valueStart < end, field[valueStart - 1] == UInt8(ascii: "="),
                field[start..<(valueStart - 1)].elementsEqual(name)
            {
                return UnsafeRawBufferPointer(rebasing: field[valueStart..<end])
            }
            start = end + 1
        }
        return nil
    }

    private static let cookieName = Array("cookie".utf8)

    /// FNV-1a, then mixed: its upper bits alone depend little on the last bytes.
    private static func hash(_ bytes: UnsafeRawBufferPointer) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01B3 }
        return mixed(hash)
    }

    /// The finalizer of SplitMix64 (Steele, Lea, Flood 2014).
    private static func mixed(_ value: UInt64) -> UInt64 {
        var mixed = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}
