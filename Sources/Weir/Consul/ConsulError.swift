// SPDX-License-Identifier: Apache-2.0
// What is wrong with a request, as Consul says it: a status, and a sentence as plain text.

package import WeirUpstream

/// An answer that is an error.
package struct ConsulError: Error, Equatable {
    package let status: Int
    package let text: String

    package init(_ status: Int, _ text: String) {
        self.status = status
        self.text = text
    }

    package static func badRequest(_ text: String) -> ConsulError { ConsulError(400, text) }

    package static var permissionDenied: ConsulError { ConsulError(403, "Permission denied") }

    package init(_ error: HealthRegistryError) {
        switch error {
        case .unknownService(let id):
            self.init(
                404,
                "Unknown service ID \(Self.quoted(id)). Ensure that the service ID is passed, not the service name."
            )
        case .unknownCheck(let id):
            self.init(
                404,
                "Unknown check ID \(Self.quoted(id)). Ensure that the check ID is passed, not the check name."
            )
        case .noTTL(let id): self.init(500, "CheckID \(Self.quoted(id)) does not have associated TTL")
        case .invalidCheck(let reason): self.init(400, "Invalid check: \(reason)")
        case .full(let what, let max): self.init(429, "Too many \(what): at most \(max)")
        }
    }

    /// As Go's `%q` for what is printable.
    static func quoted(_ text: String) -> String {
        var json = JSONWriter()
        json.append(string: text)
        return String(decoding: json.bytes, as: UTF8.self)
    }
}
