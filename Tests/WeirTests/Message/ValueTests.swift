// SPDX-License-Identifier: Apache-2.0
// The small values of the public face: sizes, statuses, methods.

import Testing
import Weir

@Suite struct ByteCountTests {
    @Test func `sizes say their unit`() {
        #expect(ByteCount.bytes(7).bytes == 7)
        #expect(ByteCount.kibibytes(2).bytes == 2048)
        #expect(ByteCount.mebibytes(3).bytes == 3 << 20)
        #expect(ByteCount(bytes: -1).bytes == 0)
        #expect(ByteCount.kibibytes(1) < .mebibytes(1))
    }
}

@Suite struct StatusTests {
    @Test(arguments: [(200, 200), (599, 599), (418, 418), (199, 500), (100, 500), (600, 500), (0, 500), (-1, 500)])
    func `a code that no handler may answer is 500`(code: Int, status: Int) {
        #expect(Status(code).code == status)
        #expect("\(Status(code))" == "\(status)")
    }

    @Test func `a literal is a status`() {
        let status: Status = 404
        #expect(status == .notFound)
    }
}

@Suite struct MethodTests {
    @Test(arguments: Weir.Method.allCases)
    func `every method but CONNECT reaches its handler`(method: Weir.Method) async throws {
        guard method != .connect else { return }
        let app = makeApp()
        app.on(method, "/", on: .loop) { request, _ in Response(headers: ["X-Method": request.method.rawValue]) }
        try await app.test { client async throws in
            #expect(try await client.send(method, "/").headers["X-Method"] == method.rawValue)
        }
    }
}
