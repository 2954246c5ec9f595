// SPDX-License-Identifier: Apache-2.0
// Mistakes in routes: found where they are declared, before anything runs.

import Testing
import Weir

@Suite struct DeclaredRoutesTests {
    private func fault(_ app: App) -> String? {
        do throws(AppError) {
            try app.validate()
            return nil
        } catch {
            return "\(error)"
        }
    }

    @Test func `a conflict is known when the second route is added, and names both with their lines`() {
        let app = makeApp()
        let line = UInt(#line) + 1
        app.get("/a/:y") { _, _ in .text("") }
        #expect(fault(app) == nil)
        app.get("/a/:x") { _, _ in .text("") }
        #expect(
            fault(app)
                == "route GET /a/:x (\(#fileID):\(line + 2)) conflicts with GET /a/:y (\(#fileID):\(line)): "
                + "both are for the same requests on any host; remove one of them"
        )
    }

    @Test func `a conflict within groups names whole patterns and the host`() {
        let app = makeApp()
        let line = UInt(#line) + 2
        app.group("/v1", .host("a.test")) { v1 in
            v1.post("/x", on: .loop) { _, _ in .text("") }
            v1.group("/:id") { $0.post("/y") { _, _ in .text("") } }
            v1.on(.post, "/x") { _, _ in .text("") }
        }
        #expect(
            fault(app)
                == "route POST /v1/x (\(#fileID):\(line + 2)) conflicts with POST /v1/x (\(#fileID):\(line)): "
                + "both are for the same requests on host \"a.test\"; remove one of them"
        )
    }

    @Test func `a wrong pattern names the line that declared it`() {
        let app = makeApp()
        let line = #line + 1
        app.delete("orders") { _, _ in .text("") }
        #expect(
            fault(app)
                == "\(#fileID):\(line): route pattern \"orders\" does not start with \"/\"; write \"/orders\""
        )
    }

    @Test func `the first of several mistakes is told, here and at the start`() async throws {
        let app = makeApp()
        app.add(RouteDeclaration(.put, "first", file: "Shop/Shop.swift", line: 3) { _, _ in .text("") })
        app.get("second") { _, _ in .text("") }
        let text = try #require(fault(app))
        #expect(text.hasPrefix("Shop/Shop.swift:3: route pattern \"first\""))
        let error = await #expect(throws: AppError.self) { try await app.test { _ in } }
        #expect(error?.description == text)
    }

    @Test func `wrong settings are told too`() {
        let app = makeApp { $0.backlog = 0 }
        #expect(fault(app)?.hasPrefix("WEIR_BACKLOG=") == true)
    }

    @Test func `routes are declared between two runs`() async throws {
        let app = makeApp()
        app.get("/a", on: .loop) { _, _ in .text("a") }
        try await app.test { client async throws in #expect(try await client.get("/b").status == 404) }
        app.get("/b", on: .loop) { _, _ in .text("b") }
        app.use(RequestID())
        try await app.test { client async throws in #expect(try await client.get("/b").text == "b") }
    }

    @Test func `a start that failed leaves the app open for declarations`() async throws {
        let app = makeApp { $0.backlog = 0 }
        await #expect(throws: AppError.self) { try await app.test { _ in } }
        app.get("/a") { _, _ in .text("") }
    }

    @Test func `a route or middleware that is declared while the app runs ends the process with its name`() async throws
    {
        let route = try await #require(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            let app = makeApp()
            try await app.test { _ async throws in app.get("/late") { _, _ in .text("") } }
        }
        let said = String(decoding: route.standardErrorContent, as: UTF8.self)
        #expect(said.contains("route GET /late (\(#fileID):"), "\(said)")
        let middleware = try await #require(
            processExitsWith: .failure,
            observing: [\.standardErrorContent]
        ) {
            let app = makeApp()
            try await app.test { _ async throws in app.use(RequestID()) }
        }
        #expect(String(decoding: middleware.standardErrorContent, as: UTF8.self).contains("middleware RequestID"))
    }
}
