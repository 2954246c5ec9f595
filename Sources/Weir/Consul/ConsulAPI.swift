// SPDX-License-Identifier: Apache-2.0
// The endpoints of Consul's HTTP API that the admin port serves, over this instance's own registry. On its loop.

import WeirEventLoop
import WeirUpstream

/// Answers Consul's clients.
struct ConsulAPI: Sendable {
    /// One endpoint.
    struct Endpoint: Sendable {
        let method: Method
        let path: String
        /// What the admin port's index says of it; empty for what is not there.
        var summary = ""
        var deadline: Duration?
        let handler: Handler
    }

    /// The largest body that is read.
    static let bodyBytesMax = 256 << 10
    /// How long the longest query and its answer may take.
    private static let queryDeadline = Duration.nanoseconds(Int64(BlockingWait.longest)) + .seconds(10)

    let registry: HealthRegistry
    let documents: ConsulDocuments
    let access: AdminAccess

    init(registry: HealthRegistry, access: AdminAccess) {
        self.registry = registry
        self.access = access
        documents = ConsulDocuments(node: registry.node, nodeIndex: registry.index(of: .node))
    }

    var endpoints: [Endpoint] { agentEndpoints + catalogEndpoints }

    // MARK: Kinds of endpoints

    /// Answers at once.
    func read(
        _ path: String,
        summary: String = "",
        _ body: @escaping @Sendable (Request) throws -> JSONValue
    ) -> Endpoint {
        Endpoint(
            method: .get,
            path: path,
            summary: summary,
            handler: .loop { request, _ in
                try Self.answer {
                    // What cannot be answered as it was asked is not answered otherwise.
                    _ = try ConsulQueryOptions(request.query)
                    return .bytes(try body(request).bytes, contentType: "application/json")
                }
            }
        )
    }

    /// Answers when what is asked for has changed since the index that the client has seen, or its time is over.
    ///
    /// - Parameter scope: nil for the service that the path names.
    func query(
        _ path: String,
        of scope: RegistryScope? = nil,
        _ body: @escaping @Sendable (Request, ConsulQueryOptions) throws -> Indexed<JSONValue>
    ) -> Endpoint {
        let registry = registry
        return Endpoint(
            method: .get,
            path: path,
            deadline: Self.queryDeadline,
            handler: .async { request, context in
                do {
                    let query = try ConsulQueryOptions(request.query)
                    if query.index > 0 {
                        var random = SystemRandomNumberGenerator()
                        try await BlockedQuery.wait(
                            for: registry,
                            scope ?? .service(try request.parameter("name")),
                            after: query.index,
                            atMost: BlockingWait.nanoseconds(query.wait.nanosecondsClamped, using: &random),
                            on: context.exchange.owner.loop
                        )
                    }
                    return Self.response(try body(request, query))
                } catch let error as ConsulError {
                    return error.response
                }
            }
        )
    }

    /// Changes something, for who may.
    func write(
        _ path: String,
        _ body: @escaping @Sendable (Request, Nanoseconds) throws -> Void
    ) -> Endpoint {
        let access = access
        return Endpoint(
            method: .put,
            path: path,
            handler: .loop { request, context in
                try Self.answer {
                    guard access.permits(request, consulToken: request.headers["x-consul-token"]) else {
                        throw ConsulError.permissionDenied
                    }
                    // What is meant for somewhere else is not done here.
                    _ = try ConsulQueryOptions(request.query)
                    try body(request, context.exchange.owner.loop.now)
                    return Response(.ok)
                }
            }
        )
    }

    private static func answer(_ body: () throws -> Response) throws -> Response {
        do {
            return try body()
        } catch let error as ConsulError {
            return error.response
        } catch let error as HealthRegistryError {
            return ConsulError(error).response
        }
    }

    /// With the fields that Consul's clients read; the Go client fails without the second and the third.
    private static func response(_ answer: Indexed<JSONValue>) -> Response {
        var response = Response.bytes(answer.value.bytes, contentType: "application/json")
        response.headers = [
            "X-Consul-Index": "\(answer.index)", "X-Consul-KnownLeader": "true", "X-Consul-LastContact": "0",
            "X-Consul-Effective-Consistency": "leader",
        ]
        return response
    }
}

extension ConsulError {
    fileprivate var response: Response { .text(text, status: Status(status)) }
}
