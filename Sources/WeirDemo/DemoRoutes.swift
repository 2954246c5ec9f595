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

        // For health checks: in no pool, so that load never turns it away.
        app.get("/ping", .unqueued, on: .loop) { _, _ in .text("Hello, world\n") }

        // Asynchronous: in a task of the event loop, suspends freely.
        app.get("/async") { _, context in
            await context.yield()
            return .text("Hello, world\n")
        }

        // Synchronous: on the worker pool, may block.
        app.get("/blocking") { _, _ in .text("Hello, world\n") }

        app.get("/json", on: .loop) { _, _ in .json(Greeting(message: "Hello, world")) }

        // Streams the body back while it comes: `async` makes the handler start before the body is whole. As long as the
        // body is, or in chunks as the body.
        app.post("/echo") { request, _ async in
            let contentType = request.headers["content-type"] ?? "application/octet-stream"
            return .stream(contentType: contentType, length: request.body.length) { writer in
                for try await piece in request.body { try await writer.write(piece) }
                await writer.setTrailers(request.body.trailers)
            }
        }

        /// How long a body is, which is collected for that.
        app.post("/length", on: .loop) { request, _ in .text("\(try request.body.collect().count)\n") }

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

        // What came before a handshake was done may be a record of somebody else's: the client asks again when it is.
        app.get("/unrecorded", on: .loop) { request, _ in
            request.isEarly ? Response(.tooEarly) : .text("Hello, whoever you are\n")
        }

        declareCapacity(on: app)

        // The path has no dot segments any more when it gets here.
        if let files {
            app.get("/files/*path") { request, _ in .file(files + "/" + (try request.parameter("path"))) }
        }
    }

    /// `/capacity` serves 400 a second, 20 at a time, and counts who was begun after the instant in the field
    /// `X-Deadline` (Unix time in milliseconds); `/capacity/counts` tells.
    private static func declareCapacity(on app: App) {
        let capacity = Capacity()
        app.get("/capacity") { request, context in
            let deadline = request.headers["x-deadline"].flatMap { Int($0) }
            // A task of its own, which nobody cancels: like a thread, it does not learn that its client is gone.
            await Task(executorPreference: context.executor) {
                await capacity.serve(deadline: deadline.map { .milliseconds($0) })
            }.value
            return .text("served\n")
        }
        app.get("/capacity/counts", on: .loop) { _, _ in .json(capacity.counts) }
    }
}
