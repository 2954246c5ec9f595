// SPDX-License-Identifier: Apache-2.0
// What the file may say of a route and the gateway does not do yet.

extension RouteConfiguration {
    /// The first field that is not served: a route without it would be another one, so the start is refused.
    var unservedField: String? {
        if mirror != nil { return "mirror" }
        if tags != nil { return "tags" }
        if case .redirect(let redirect) = action, redirect.keepsPath { return "redirect to a URL without a path" }
        let statuses = retry.conditions.filter { $0 != .connect && $0 != .reset }
        return statuses.isEmpty ? nil : "retry on \(statuses[0].rawValue)"
    }
}
