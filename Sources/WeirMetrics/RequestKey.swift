// SPDX-License-Identifier: Apache-2.0
// What tells one duration histogram from another, packed into 64 bits.

/// A route, a method and a status: the labels of one request, as numbers.
struct RequestKey: Comparable {
    let route: Int32
    let method: UInt8
    let status: UInt16

    init(route: Int32, method: UInt8, status: UInt16) {
        self.route = route
        self.method = method
        self.status = status
    }

    init(packed: UInt64) {
        route = Int32(truncatingIfNeeded: packed >> 32)
        method = UInt8(truncatingIfNeeded: packed >> 16)
        status = UInt16(truncatingIfNeeded: packed)
    }

    var packed: UInt64 {
        UInt64(UInt32(bitPattern: route)) << 32 | UInt64(method) << 16 | UInt64(status)
    }

    /// By route, then method, then status: the order of the exposition.
    static func < (left: RequestKey, right: RequestKey) -> Bool {
        (left.route, left.method, left.status) < (right.route, right.method, right.status)
    }
}
