// SPDX-License-Identifier: Apache-2.0
// Drives the engine over a poller without a kernel, for callgrind and for counting allocations.
// Use: replay <routes> <pipelined requests> <rounds> [access-log]
// Several routes with commas between them take turns: then no head is like the one before it.

import Weir

@main struct Replay {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4 || arguments.count == 5 && arguments[4] == "access-log",
            let depth = Int(arguments[2]), let rounds = Int(arguments[3])
        else {
            print("use: replay /hello,/async <pipelined requests> <rounds> [access-log]")
            return
        }
        var settings = Settings()
        if arguments.count == 5 {
            settings.accessLog = .file("/dev/null")
            settings.accessLogBufferBytes = 64 << 20
        }
        let app = App(settings: settings)
        app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }
        app.get("/async") { _, context in
            await context.yield()
            return .text("Hello, world\n")
        }
        let routes = arguments[1].split(separator: ",")
        let script = (0..<depth).flatMap { index in
            [UInt8]("GET \(routes[index % routes.count]) HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n".utf8)
        }
        let sent = try app.replay(script, rounds: rounds, connections: 8)
        print("\(8 * rounds * depth) requests, \(sent) bytes sent")
    }
}
