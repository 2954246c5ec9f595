// SPDX-License-Identifier: Apache-2.0
// What the registry refuses.

/// Why a change of the registry was refused; nothing was changed then.
package enum HealthRegistryError: Error, Equatable {
    /// There is no service with this id.
    case unknownService(id: String)
    /// There is no check with this id.
    case unknownCheck(id: String)
    /// The check is not one that is told its status.
    case noTTL(checkID: String)
    /// The check makes no sense: `CheckDefinition.fault`.
    case invalidCheck(reason: String)
    /// There are as many as there may be: services, checks, bytes, or queries that wait.
    case full(what: String, max: Int)
}
