// SPDX-License-Identifier: Apache-2.0
// Drives the engine over a poller without a kernel, for callgrind and for counting allocations.
// Use: replay <routes> <pipelined requests> <rounds> [access-log] [priority] [key]
// Several routes with commas between them take turns: then no head is like the one before it. With `priority` each
// request says its class, and with `key` a key of its own, in a field that is read; else limits are by client.

import Weir

@main struct Replay {
    private static let options: Set = ["access-log", "priority", "key"]

    static func main() throws {
        let arguments = CommandLine.arguments
        let options = Set(arguments.dropFirst(4))
        guard arguments.count >= 4, options.isSubset(of: Self.options),
            let depth = Int(arguments[2]), let rounds = Int(arguments[3])
        else {
            print("use: replay /hello,/async,/limited,/refused,/proxied <pipelined requests> <rounds> [option…]")
            return
        }
        var settings = Settings()
        if options.contains("access-log") {
            settings.accessLog = .file("/dev/null")
            settings.accessLogBufferBytes = .exactly(64 << 20)
        }
        if options.contains("priority") { settings.admission.priorityHeader = "x-priority" }
        let app = App(settings: settings)
        let targets = arguments[1].split(separator: ",")
        let routes = Set(targets.map { String($0.prefix { $0 != "?" }) })
        let key = options.contains("key") ? RateLimitKey.header("x-key") : .client
        for route in routes { declare(route, limitedBy: key, in: app) }
        let script = (0..<depth).flatMap { index in
            var head = "GET \(targets[index % targets.count]) HTTP/1.1\r\nHost: 127.0.0.1:8080\r\n"
            if options.contains("priority") { head += "X-Priority: Sheddable\r\n" }
            if options.contains("key") { head += "X-Key: \(index)\r\n" }
            return [UInt8]((head + "\r\n").utf8)
        }
        let answer = routes.contains("/proxied") ? Self.answer : []
        let isRefused = routes.contains("/refused")
        let sent = try app.replay(script, rounds: rounds, connections: 8, answer: answer, isRefused: isRefused)
        print("\(8 * rounds * depth) requests, \(sent) bytes sent")
    }

    /// Only what is asked for, so that another route changes nothing of its figures.
    private static func declare(_ route: String, limitedBy key: RateLimitKey, in app: App) {
        switch route {
        case "/async":
            app.get("/async") { _, context in
                await context.yield()
                return .text("Hello, world\n")
            }
        case "/limited":
            // The clock stands still: no run is as long as the burst.
            let limit = RouteOption.limit(.gcra(.perSecond(1_000_000_000)), by: key)
            app.get("/limited", limit, on: .loop) { _, _ in .text("Hello, world\n") }
        case "/refused":
            // All but the first, as the clock stands still.
            let limit = RouteOption.limit(.gcra(.perDay(1), burst: 1), by: key)
            app.get("/refused", limit, on: .loop) { _, _ in .text("Hello, world\n") }
        case "/proxied":
            app.proxy("/proxied", to: .endpoints("http://127.0.0.1:8081", name: "replay"))
        default:
            app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }
        }
    }

    /// What the endpoint says to each request.
    private static let answer = [UInt8](
        """
        HTTP/1.1 200 OK\r
        Content-Type: text/plain; charset=utf-8\r
        Content-Length: 13\r
        \r
        Hello, world

        """.utf8
    )
}
