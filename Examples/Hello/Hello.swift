// SPDX-License-Identifier: Apache-2.0
// The demo service as a program of its own, from the library alone. Its routes are in Sources/WeirDemo.

import FoundationEssentials
import Glibc
import Weir
import WeirDemo

@main struct Hello {
    static func main() async throws {
        let app = App()
        let environment = ProcessInfo.processInfo.environment
        DemoRoutes.declare(on: app, files: environment["HELLO_FILES"] ?? ".")
        if environment["HELLO_HOLDS"] != nil { declareHold(on: app) }
        try await app.run()
    }

    /// What no handler should do, for Tests/Faults: it is declared non-blocking, and holds its event loop.
    private static func declareHold(on app: App) {
        app.get("/hold", on: .loop) { request, _ in
            guard let milliseconds = UInt32(request.query["ms"] ?? ""), milliseconds <= 60_000 else {
                throw HTTPError(.badRequest, "ms: a number of milliseconds up to 60000 is expected")
            }
            usleep(milliseconds * 1000)
            return .text("held \(milliseconds) ms\n")
        }
    }
}
