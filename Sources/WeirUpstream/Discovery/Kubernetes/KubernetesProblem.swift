// SPDX-License-Identifier: Apache-2.0
// Why a cluster's API server cannot be asked, for people: what a provider reports. Nothing here shows a token.

/// What keeps a provider from a service's endpoints.
package enum KubernetesProblem: Error, Equatable, CustomStringConvertible, Sendable {
    /// Nothing says where the API server is.
    case noServer
    /// The server's name has no address now.
    case unresolved(server: String)
    case unanswered(server: String, FetchFault)
    /// The file of the service account's token cannot be used.
    case token(file: String, reason: String)
    /// Connections cannot be secured, as `https` asks for.
    case notSecured(server: String, reason: String)
    /// 401: it does not take the token.
    case unauthorized(server: String)
    /// 403: a rule is missing.
    case forbidden(KubernetesService, verb: String, message: String)
    /// Neither version of the API is there.
    case noSlices(server: String)
    case refused(server: String, APIStatus)
    /// Answered with what is no list or no event of these objects.
    case malformed(server: String, subject: String)
    case tooMany(KubernetesService)
    /// 403 for objects of another kind; `rule` is what the account's role needs.
    case notAllowed(verb: String, subject: String, rule: String, message: String)
    /// 404 for objects of another kind.
    case noObjects(server: String, subject: String)
    case tooManyObjects(subject: String, countMax: Int)
    case noPort(KubernetesService, known: [String])

    package var description: String {
        switch self {
        case .noServer:
            "this process is in no cluster (KUBERNETES_SERVICE_HOST is not set); WEIR_KUBERNETES_API says where to ask"
        case .unresolved(let server): "\(server): the name has no address now"
        case .unanswered(let server, let fault): "\(server): \(fault)"
        case .token(let file, let reason): "the service account's token \(file) cannot be used: \(reason)"
        case .notSecured(let server, let reason): "\(server) cannot be asked over TLS: \(reason)"
        case .unauthorized(let server): "\(server) does not take the service account's token (401)"
        case .forbidden(let service, let verb, let message):
            "the service account may not \(verb) endpointslices in namespace \(service.namespace); its Role needs "
                + "apiGroups [discovery.k8s.io], resources [endpointslices], verbs [list, watch]: \(message)"
        case .noSlices(let server): "\(server) knows no endpointslices, neither of discovery.k8s.io/v1 nor of v1beta1"
        case .refused(let server, let status): "\(server) answered \(status.code): \(status.message)"
        case .malformed(let server, let subject): "\(server) answered with what are no \(subject)"
        case .notAllowed(let verb, let subject, let rule, let message):
            "the service account may not \(verb) \(subject); its role needs \(rule): \(message)"
        case .noObjects(let server, let subject): "\(server) knows no \(subject)"
        case .tooManyObjects(let subject, let countMax): "there are more than \(countMax) \(subject)"
        case .tooMany(let service):
            "\(service) has more than \(EndpointSliceTable.slicesMax) slices or "
                + "\(EndpointSliceTable.endpointsMax) endpoints"
        case .noPort(let service, let known):
            "\(service): no such port of its pods; there are \(known.isEmpty ? "none" : known.joined(separator: ", "))"
        }
    }
}
