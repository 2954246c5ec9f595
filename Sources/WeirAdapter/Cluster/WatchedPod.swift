// SPDX-License-Identifier: Apache-2.0
// A pod, as much of it as the adapter needs. A value.

package import WeirUpstream

/// A pod that may be asked.
package struct WatchedPod: KubernetesObject {
    package var namespace: String
    package var name: String
    /// Tells it from a later one of the same name.
    package var uid: String
    package var labels: [String: String]
    /// Without a port; nil until it has one.
    package var host: String?
    /// Where its own annotation says that the admin port is; nil without.
    package var adminPort: UInt16?
    /// Whether its own annotation says that the admin port speaks TLS.
    package var isSecure: Bool
    package var isReady: Bool
    /// It has been told to end, or has ended: nobody scales by it.
    package var isEnding: Bool

    /// The annotation with the number of a pod's admin port.
    package static let portAnnotation = "weir.dev/admin-port"
    /// The annotation that is `https` where the admin port speaks TLS.
    package static let schemeAnnotation = "weir.dev/admin-scheme"

    package init(
        namespace: String,
        name: String,
        uid: String = "",
        labels: [String: String] = [:],
        host: String? = nil,
        adminPort: UInt16? = nil,
        isSecure: Bool = false,
        isReady: Bool = true,
        isEnding: Bool = false
    ) {
        self.namespace = namespace
        self.name = name
        self.uid = uid
        self.labels = labels
        self.host = host
        self.adminPort = adminPort
        self.isSecure = isSecure
        self.isReady = isReady
        self.isEnding = isEnding
    }

    package var key: String { Self.key(of: name, in: namespace) }

    package static func key(of name: String, in namespace: String?) -> String { "\(namespace ?? "")/\(name)" }

    /// How it stands in JSON.
    package struct Document: KubernetesDocument {
        package let metadata: KubernetesMetadata
        private let status: Status?

        private struct Status: Decodable {
            let phase: String?
            let podIP: String?
            let conditions: [Condition]?
        }

        private struct Condition: Decodable {
            let type: String?
            let status: String?
        }

        package var object: WatchedPod? {
            guard let name = metadata.name, !name.isEmpty, let namespace = metadata.namespace else { return nil }
            let isOver = status?.phase == "Succeeded" || status?.phase == "Failed"
            return WatchedPod(
                namespace: namespace,
                name: name,
                uid: metadata.uid ?? "",
                labels: metadata.labels ?? [:],
                host: status?.podIP.flatMap { $0.isEmpty ? nil : $0 },
                adminPort: metadata.annotations?[portAnnotation].flatMap { UInt16($0) }.flatMap { $0 > 0 ? $0 : nil },
                isSecure: metadata.annotations?[schemeAnnotation] == "https",
                isReady: status?.conditions?.contains { $0.type == "Ready" && $0.status == "True" } ?? false,
                isEnding: metadata.deletionTimestamp != nil || isOver
            )
        }
    }
}

/// A service: whose pods are its.
package struct WatchedService: KubernetesObject {
    package var namespace: String
    package var name: String
    /// Nil for one whose endpoints somebody else writes.
    package var selector: LabelSelector?

    package init(namespace: String, name: String, selector: LabelSelector?) {
        self.namespace = namespace
        self.name = name
        self.selector = selector
    }

    package var key: String { Self.key(of: name, in: namespace) }

    package static func key(of name: String, in namespace: String?) -> String { "\(namespace ?? "")/\(name)" }

    /// How it stands in JSON.
    package struct Document: KubernetesDocument {
        package let metadata: KubernetesMetadata
        private let spec: Spec?

        private struct Spec: Decodable {
            let selector: [String: String]?
        }

        package var object: WatchedService? {
            guard let name = metadata.name, !name.isEmpty, let namespace = metadata.namespace else { return nil }
            let labels = spec?.selector ?? [:]
            return WatchedService(
                namespace: namespace,
                name: name,
                selector: labels.isEmpty ? nil : LabelSelector(equal: labels)
            )
        }
    }
}
