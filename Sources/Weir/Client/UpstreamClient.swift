// SPDX-License-Identifier: Apache-2.0
// What a handler asks an upstream through: carries the request's deadline, id, traffic tag and trace on.

import WeirEventLoop

/// A client of one upstream, for one request: ``RequestContext/client(_:)``.
///
/// Each call has what is left of the request's deadline, tells the endpoint so, and ends with the request. The request's
/// id and traffic tag (`WEIR_TAG_HEADER`) go on, and its trace with a span of the call's own. Connections are kept and
/// used again, as the gateway's are. Requests and responses are whole; nothing is streamed.
public struct UpstreamClient: Sendable {
    let exchange: Exchange
    /// The upstream's name.
    public let name: String

    /// The longest response body that is taken where a call does not say another: 10 MiB.
    public static var bodyLimit: ByteCount { .mebibytes(10) }

    /// Sends GET.
    public func get(_ target: String, headers: Headers = Headers()) async throws -> ClientResponse {
        try await send(ClientRequest(.get, target, headers: headers))
    }

    /// Sends POST with a body.
    public func post(_ target: String, headers: Headers = Headers(), body: [UInt8]) async throws -> ClientResponse {
        try await send(ClientRequest(.post, target, headers: headers, body: body))
    }

    /// Sends a request and waits for the whole response.
    ///
    /// It is sent again, at most twice, where it cannot be carried out twice by that: when no connection could be made,
    /// and when a kept one turns out to have been closed and the method is idempotent.
    ///
    /// - Parameters:
    ///   - request: what is sent.
    ///   - limit: the longest body that is taken.
    /// - Throws: `ClientError`; `CancellationError` when the task was cancelled.
    public func send(
        _ request: ClientRequest,
        upTo limit: ByteCount = UpstreamClient.bodyLimit
    ) async throws -> ClientResponse {
        try Task.checkCancellation()
        let head = try ClientHead(request, exchange.owner.configuration)
        let loop = exchange.owner.loop
        let call = ClientCall(exchange, upstream: name, head, body: request.body, bytesMax: limit.bytes)
        let outcome = await withTaskCancellationHandler {
            await withUnsafeContinuation { continuation in
                if loop.isCurrent {
                    call.start(continuation)
                } else {
                    loop.submit { _ in call.start(continuation) }
                }
            }
        } onCancel: {
            loop.submit { _ in call.cancel() }
        }
        switch outcome {
        case .response(let response): return response
        case .failed(let error): throw error
        case .cancelled: throw CancellationError()
        }
    }
}

extension RequestContext {
    /// A client of the upstream of this name: one of ``App/upstream(_:endpoints:)``, of a route's, or `default`, that of
    /// `WEIR_UPSTREAM`.
    public func client(_ name: String) -> UpstreamClient { UpstreamClient(exchange: exchange, name: name) }
}
