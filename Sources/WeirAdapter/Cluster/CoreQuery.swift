// SPDX-License-Identifier: Apache-2.0
// What an API server is asked for pods and services, and what it has answered. Values; pure.

package import WeirUpstream

/// Objects by their keys.
package struct ObjectTable<Object: KubernetesObject>: KubernetesTable {
    package private(set) var objects: [String: Object] = [:]
    package private(set) var resourceVersion: String?
    private let countMax: Int

    package init(countMax: Int) {
        self.countMax = countMax
    }

    package mutating func add(_ page: KubernetesList<Object>) -> Bool {
        resourceVersion = page.resourceVersion
        for object in page.objects { objects[object.key] = object }
        return objects.count <= countMax
    }

    package mutating func apply(_ event: KubernetesEvent<Object>) -> KubernetesOutcome {
        switch event {
        case .changed(let object, let version):
            resourceVersion = version
            guard objects.updateValue(object, forKey: object.key) != object else { return .unchanged }
            return objects.count <= countMax ? .changed : .tooMany
        case .gone(let name, let version):
            resourceVersion = version
            return objects.removeValue(forKey: name) == nil ? .unchanged : .changed
        case .bookmark(let version):
            resourceVersion = version
            return .unchanged
        case .failed(let status): return KubernetesOutcome(status)
        case .unknown: return .unchanged
        }
    }
}

/// Objects of the core API: those of one namespace, or of all.
package struct CoreQuery<Object: KubernetesObject>: KubernetesQuery {
    /// Objects in a page of a list: a pod has about 10 KB.
    private static var pageCount: Int { 100 }

    package enum Version: Sendable, Equatable {
        case v1
    }

    package let subject: String
    private let countMax: Int
    private let path: String
    private let host: String
    private let place: String

    /// - Parameters:
    ///   - subject: `pods`.
    ///   - namespace: nil for all.
    ///   - selector: of their labels, as it stands in a query; empty for all.
    package init(
        _ subject: String,
        in namespace: String?,
        selector: String = "",
        countMax: Int,
        from server: EndpointURL
    ) {
        self.subject = subject
        self.countMax = countMax
        let folder = namespace.map { "/namespaces/\($0)" } ?? ""
        path = "/api/v1\(folder)/\(subject)?labelSelector=\(selector.percentEncoded)"
        host = server.authority
        place = namespace.map { " in namespace \($0)" } ?? ""
    }

    package static var present: Version { .v1 }

    package var emptyTable: ObjectTable<Object> { ObjectTable(countMax: countMax) }

    package func other(than version: Version) -> Version { version }

    package func list(_ version: Version, continuation: String?, token: String?) -> [UInt8] {
        let behind = continuation.map { "&continue=\($0.percentEncoded)" } ?? ""
        return KubernetesRequest(to: host, token: token).get("\(path)&limit=\(Self.pageCount)\(behind)")
    }

    package func watch(_ version: Version, from resourceVersion: String, seconds: UInt64, token: String?) -> [UInt8] {
        let query =
            "&watch=true&allowWatchBookmarks=true&resourceVersion=\(resourceVersion.percentEncoded)"
            + "&timeoutSeconds=\(seconds)"
        return KubernetesRequest(to: host, token: token).get(path + query)
    }

    package func forbidden(verb: String, message: String) -> KubernetesProblem {
        .notAllowed(
            verb: verb,
            subject: subject + place,
            rule: "apiGroups [\"\"], resources [\(subject)], verbs [list, watch]",
            message: message
        )
    }

    package func unknown(server: String) -> KubernetesProblem { .noObjects(server: server, subject: subject + place) }

    package var tooMany: KubernetesProblem { .tooManyObjects(subject: subject + place, countMax: countMax) }
}

extension CoreQuery where Object == WatchedPod {
    /// Pods that the selector means.
    package init(pods selector: String, in namespace: String?, countMax: Int, from server: EndpointURL) {
        self.init("pods", in: namespace, selector: selector, countMax: countMax, from: server)
    }
}

extension CoreQuery where Object == WatchedService {
    /// The most services of a namespace or a cluster.
    private static var servicesMax: Int { 10_000 }

    package init(servicesIn namespace: String?, from server: EndpointURL) {
        self.init("services", in: namespace, countMax: Self.servicesMax, from: server)
    }
}
