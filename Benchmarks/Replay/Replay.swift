// SPDX-License-Identifier: Apache-2.0
// Drives the engine over a poller without a kernel, for callgrind and for counting allocations.
// Use: replay <routes> <pipelined requests> <rounds> [access-log] [priority]
// Several routes with commas between them take turns: then no head is like the one before it. With `priority` each
// request says its class, in a field that is read.

import Weir

@main struct Replay {
    static func main() throws {
        let arguments = CommandLine.arguments
        let options = Set(arguments.dropFirst(4))
        guard arguments.count >= 4, options.isSubset(of: ["access-log", "priority"]),
            let depth = Int(arguments[2]), let rounds = Int(arguments[3])
        else {
            print("use: replay /hello,/async <pipelined requests> <rounds> [access-log] [priority]")
            return
        }
        var settings = Settings()
        if options.contains("access-log") {
            settings.accessLog = .file("/dev/null")
            settings.accessLogBufferBytes = .exactly(64 << 20)
        }
        var field = ""
        if options.contains("priority") {
            settings.admission.priorityHeader = "x-priority"
            field = "X-Priority: Sheddable\r\n"
        }
        let app = App(settings: settings)
        app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }
        app.get("/async") { _, context in
            await context.yield()
            return .text("Hello, world\n")
        }
        let routes = arguments[1].split(separator: ",")
        let script = (0..<depth).flatMap { index in
            [UInt8]("GET \(routes[index % routes.count]) HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n\(field)\r\n".utf8)
        }
        let sent = try app.replay(script, rounds: rounds, connections: 8)
        print("\(8 * rounds * depth) requests, \(sent) bytes sent")
    }
}
