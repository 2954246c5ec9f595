// SPDX-License-Identifier: Apache-2.0
// The demo service as a program of its own, from the library alone. Its routes are in Sources/WeirDemo.

import FoundationEssentials
import Weir
import WeirDemo

@main struct Hello {
    static func main() async throws {
        let app = App()
        DemoRoutes.declare(on: app, files: ProcessInfo.processInfo.environment["HELLO_FILES"] ?? ".")
        try await app.run()
    }
}
