// SPDX-License-Identifier: Apache-2.0
// Drives the engine over a poller without a kernel, for callgrind and for counting allocations.
// Use: replay <route> <pipelined requests> <rounds>

import Weir

@main struct Replay {
    static func main() throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 4, let depth = Int(arguments[2]), let rounds = Int(arguments[3]) else {
            print("use: replay /hello|/async <pipelined requests> <rounds>")
            return
        }
        let app = App(settings: Settings())
        app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }
        app.get("/async") { _, context in
            await context.yield()
            return .text("Hello, world\n")
        }
        let request = "GET \(arguments[1]) HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\r\n"
        let script = [UInt8](String(repeating: request, count: depth).utf8)
        let sent = try app.replay(script, rounds: rounds, connections: 8)
        print("\(8 * rounds * depth) requests, \(sent) bytes sent")
    }
}
