// SPDX-License-Identifier: Apache-2.0
// The demo service: one route for each way in which a handler can answer.

package import Weir

struct Greeting: Codable {
    let message: String
}

/// The routes of the demo service.
package enum DemoRoutes {
    /// Declares the routes on `app`.
    ///
    /// - Parameter files: the folder that is served below `/files`; nil serves none.
    package static func declare(on app: App, files: String?) {
        // Declared non-blocking: runs on the event loop.
        app.get("/hello", on: .loop) { _, _ in .text("Hello, world\n") }

        // Asynchronous: in a task of the event loop, suspends freely.
        app.get("/async") { _, context in
            await context.yield()
            return .text("Hello, world\n")
        }

        // Synchronous: on the worker pool, may block.
        app.get("/blocking") { _, _ in .text("Hello, world\n") }

        app.get("/json", on: .loop) { _, _ in .json(Greeting(message: "Hello, world")) }

        // Streams the body back while it comes: `async` makes the handler start before the body is whole.
        app.post("/echo") { request, _ async in
            .stream(contentType: request.headers["content-type"] ?? "application/octet-stream") { writer in
                for try await piece in request.body { try await writer.write(piece) }
                await writer.setTrailers(request.body.trailers)
            }
        }

        app.get("/sleep") { request, context in
            guard let milliseconds = Int(request.query["ms"] ?? ""), milliseconds >= 0 else {
                throw HTTPError(.badRequest, "ms: a number of milliseconds is expected")
            }
            try await context.sleep(for: .milliseconds(milliseconds))
            return .text("slept \(milliseconds) ms\n")
        }

        app.get("/users/:id/orders/:order", on: .loop) { request, _ in
            .text("user \(try request.parameter("id")), order \(try request.parameter("order"))\n")
        }

        // The path has no dot segments any more when it gets here.
        if let files {
            app.get("/files/*path") { request, _ in .file(files + "/" + (try request.parameter("path"))) }
        }
    }
}
