// SPDX-License-Identifier: Apache-2.0
// The store of an app's limits: which it is, and whether it fits the settings.

import WeirUpstream

extension App {
    /// Has the limits of the cluster (`WEIR_RATE_LIMIT_SCOPE=cluster`) counted in a store that all replicas share, where
    /// `WEIR_REDIS` says where that is.
    ///
    /// ```swift
    /// import Weir
    /// import WeirRedis
    ///
    /// let app = App()
    /// app.countLimits(in: .redis)
    /// ```
    ///
    /// Without `WEIR_REDIS` nothing changes: limits without a key are divided by the number of replicas.
    public func countLimits(in store: LimitStore) {
        declare("a store of limits") { $0.store = store }
    }
}

extension Settings {
    /// Checks that the process has the store that the settings name, and that the store knows the place.
    func checkStore(_ store: LimitStore?) throws(SettingsError) {
        let place = rateLimiting.redis
        guard !place.isEmpty else { return }
        let reason =
            if let store {
                store.fault(place)
            } else {
                "this process has no Redis; import WeirRedis, and declare app.countLimits(in: .redis)"
            }
        if let reason { throw .refused(name: "WEIR_REDIS", value: place.withoutUserInfo, reason: reason) }
    }
}
