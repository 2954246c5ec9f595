// SPDX-License-Identifier: Apache-2.0
// The service of `make bench-peers`, written with Hummingbird 2. Use: peer-hummingbird PORT

import Hummingbird
import NIOPosix

struct Greeting: ResponseEncodable {
    let message: String
}

@main
struct Peer {
    static func main() async throws {
        guard let port = CommandLine.arguments.dropFirst().first.flatMap({ Int($0) }) else {
            fatalError("use: peer-hummingbird PORT")
        }
        let router = Router()
        router.get("hello") { _, _ in "Hello, world\n" }
        router.get("json") { _, _ in Greeting(message: "Hello, world") }
        // The body goes back while it comes, as long as it is, or in chunks as it is.
        router.post("echo") { request, _ in
            let length = request.headers[.contentLength].flatMap { Int($0) }
            let body = ResponseBody(contentLength: length) { writer in
                try await writer.write(request.body)
                try await writer.finish(nil)
            }
            return Response(status: .ok, body: body)
        }
        let app = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port), backlog: 4096),
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup(numberOfThreads: 1))
        )
        try await app.runService()
    }
}
