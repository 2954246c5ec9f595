// SPDX-License-Identifier: Apache-2.0
// Asks the API server for one thing after the other, as a task of the adapter's loop does. Confined to it.

import WeirEventLoop
import WeirUpstream

/// `@unchecked Sendable`: everything happens on the loop's thread.
final class ClusterClient: @unchecked Sendable {
    private static let answerTimeout: Nanoseconds = 10_000_000_000
    /// A Secret has at most 1 MiB.
    private static let bodyBytesMax = 4 << 20

    private let api: KubernetesAPI
    private let lookup: AddressLookup
    private let secure: KubernetesWatch<CoreQuery<WatchedPod>>.Securing
    private let client: FetchClient
    /// Where the last answer was a 401: what it was to.
    private(set) var refused: RefusedToken?

    init(
        _ api: KubernetesAPI,
        on loop: EventLoop,
        lookup: @escaping AddressLookup,
        secure: @escaping KubernetesWatch<CoreQuery<WatchedPod>>.Securing
    ) {
        self.api = api
        self.lookup = lookup
        self.secure = secure
        client = FetchClient(on: loop, field: "retry-after", bodyBytesMax: Self.bodyBytesMax)
    }

    func close() { client.close() }

    func get(_ target: String) async throws(KubernetesProblem) -> FetchClient.Answer {
        try await ask { $0.get(target) }
    }

    /// Sends JSON.
    func send(
        _ method: String,
        _ target: String,
        _ body: [UInt8],
        type: String = "application/json"
    ) async throws(KubernetesProblem) -> FetchClient.Answer {
        try await ask { $0.send(method, target, body, type: type) }
    }

    private func ask(
        _ request: (KubernetesRequest) -> [UInt8]
    ) async throws(KubernetesProblem) -> FetchClient.Answer {
        refused = nil
        let address = try await address()
        client.tls = api.isSecure ? try secure() : nil
        let token = api.isPrivate ? try ServiceAccountToken.read(in: api.account) : nil
        let bytes = request(KubernetesRequest(to: api.url.authority, token: token))
        let answer = await withUnsafeContinuation { continuation in
            client.get(bytes, from: address, timeout: Self.answerTimeout) { continuation.resume(returning: $0) }
        }
        switch answer {
        case .success(let answer):
            guard answer.status == 401 else { return answer }
            refused = RefusedToken(token, in: api.account)
            throw .unauthorized(server: api.description)
        case .failure(let fault): throw .unanswered(server: api.description, fault)
        }
    }

    private func address() async throws(KubernetesProblem) -> SocketAddress {
        switch api.url.place {
        case .address(let address): return address
        case .name(let name, let port):
            let addresses = await withUnsafeContinuation { continuation in
                lookup(name, port) { continuation.resume(returning: $0) }
            }
            guard let address = addresses.randomElement() else { throw .unresolved(server: api.description) }
            return address
        }
    }

    /// What a refusal comes to.
    func refusal(_ answer: FetchClient.Answer) -> KubernetesProblem {
        let message = APIStatus(parsing: answer.body).map { Array($0.message.utf8) } ?? answer.body
        return .refused(
            server: api.description,
            APIStatus(code: answer.status, message: message.shownInLine(bytesMax: 240))
        )
    }
}
