// SPDX-License-Identifier: Apache-2.0
// What the file may say of a route and the gateway does not do yet.

extension RouteConfiguration {
    /// The first field that is not served: a route without it would be another one, so the start is refused.
    var unservedField: String? {
        if mirror != nil { return "mirror" }
        return nil
    }
}
