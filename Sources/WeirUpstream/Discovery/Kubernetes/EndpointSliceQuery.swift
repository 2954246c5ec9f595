// SPDX-License-Identifier: Apache-2.0
// What an API server is asked for the slices of a service. A value; pure.

import WeirEventLoop

/// The requests of one service.
package struct EndpointSliceQuery: KubernetesQuery {
    /// A version of the API, the present one first. Servers before Kubernetes 1.21 know the older one only, those from 1.25
    /// on the present one.
    package enum Version: String, Sendable, CaseIterable {
        case v1
        case v1beta1
    }

    /// Slices in a page of a list: of 100 endpoints each, as the cluster makes them.
    package static let pageSlices = 20

    package let service: KubernetesService
    private let path: String
    private let host: String

    package init(_ service: KubernetesService, from server: EndpointURL) {
        self.service = service
        path =
            "/namespaces/\(service.namespace)/endpointslices?labelSelector="
            + "kubernetes.io/service-name=\(service.name)".percentEncoded
        host = server.authority
    }

    /// A page of the slices as they are now.
    ///
    /// - Parameter continuation: what the page before has said; nil for the first.
    package func list(_ version: Version, continuation: String? = nil, token: String?) -> [UInt8] {
        var query = "&limit=\(Self.pageSlices)"
        if let continuation { query += "&continue=\(continuation.percentEncoded)" }
        return request(version, query, token)
    }

    /// What happens from `resourceVersion` on, for so many seconds.
    package func watch(_ version: Version, from resourceVersion: String, seconds: UInt64, token: String?) -> [UInt8] {
        let from = "&resourceVersion=\(resourceVersion.percentEncoded)"
        return request(version, "&watch=true&allowWatchBookmarks=true\(from)&timeoutSeconds=\(seconds)", token)
    }

    private func request(_ version: Version, _ query: String, _ token: String?) -> [UInt8] {
        KubernetesRequest(to: host, token: token).get("/apis/discovery.k8s.io/\(version.rawValue)\(path)\(query)")
    }

    // MARK: What a watch asks

    package static var present: Version { .v1 }

    package var emptyTable: EndpointSliceTable { EndpointSliceTable() }

    package var subject: String { "endpointslices" }

    package func other(than version: Version) -> Version { version == .v1 ? .v1beta1 : .v1 }

    package func forbidden(verb: String, message: String) -> KubernetesProblem {
        .forbidden(service, verb: verb, message: message)
    }

    package func unknown(server: String) -> KubernetesProblem { .noSlices(server: server) }

    package var tooMany: KubernetesProblem { .tooMany(service) }
}
