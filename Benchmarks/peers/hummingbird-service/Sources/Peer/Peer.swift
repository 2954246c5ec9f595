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
        router.post("echo") { request, _ in Response(status: .ok, body: .init(asyncSequence: request.body)) }
        let app = Application(
            router: router,
            configuration: .init(address: .hostname("127.0.0.1", port: port), backlog: 4096),
            eventLoopGroupProvider: .shared(MultiThreadedEventLoopGroup(numberOfThreads: 1))
        )
        try await app.runService()
    }
}
