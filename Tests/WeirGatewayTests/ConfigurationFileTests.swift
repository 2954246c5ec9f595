// SPDX-License-Identifier: Apache-2.0
// The file of WEIR_CONFIG as it is read from disk, and what `weir check` prints of it.

import Glibc
import Testing
import Weir
import WeirGateway
import WeirTestSupport

@Suite struct ConfigurationFileTests {
    private static let text = """
        upstreams: {orders: {endpoints: [http://a, http://b;weight=2]}, canary: {discover: 'dns://c:80'}}
        pools: {reports: {concurrency: 2}}
        routes:
          - {match: {host: a.example, path: /a, methods: [GET, POST], headers: {x: 1}}, redirect: {to: /b, status: 302}}
          - {split: [{upstream: orders, weight: 99}, {upstream: canary, weight: 1}]}
        """

    @Test func `the file is read with the environment`() throws {
        let folder = try ScratchFolder()
        let path = try folder.write("weir.yaml", Array(("deadline: 3s\n" + Self.text).utf8))
        let configuration = try GatewayConfiguration.load(["WEIR_CONFIG": path, "WEIR_LOOPS": "2"])
        #expect(configuration.settings.deadline == .seconds(3) && configuration.settings.loops == .exactly(2))
        #expect(configuration.upstreams.map(\.name) == ["orders", "canary"])
        #expect(
            ConfigurationTable.text(configuration) == """
                upstream  orders  http://a,http://b;weight=2  least-latency
                upstream  canary  dns://c:80  least-latency
                pool  reports
                route  GET,POST a.example/a x  redirect 302 /b
                route  * /*path  split orders=99,canary=1

                """
        )
    }

    @Test func `without a file there is the environment`() throws {
        #expect(try GatewayConfiguration.load(["WEIR_CONFIG": "", "WEIR_LOOPS": "2"]).settings.loops == .exactly(2))
        #expect(ConfigurationTable.text(try GatewayConfiguration.load([:])).isEmpty)
    }

    @Test func `a fault of the text is one line with its place`() throws {
        let folder = try ScratchFolder()
        let path = try folder.write("weir.yaml", Array("routes: []\n\tdeadline: 2s\n".utf8))
        let error = #expect(throws: SettingsError.self) { try GatewayConfiguration.load(["WEIR_CONFIG": path]) }
        #expect(error?.description == "\(path):2:1: a tab cannot stand here; indent with spaces")
    }

    @Test func `what is no file that can be read is said`() throws {
        let folder = try ScratchFolder()
        let pipe = "\(folder.path)/pipe"
        #expect(mkfifo(pipe, 0o600) == 0)
        let reasons = [
            ("\(folder.path)/none.yaml", "No such file or directory"), (folder.path, "not a regular file"),
            (pipe, "not a regular file"),
        ]
        for (path, reason) in reasons {
            let error = #expect(throws: SettingsError.self) { try GatewayConfiguration.load(["WEIR_CONFIG": path]) }
            #expect(error?.description == #"WEIR_CONFIG="\#(path)": the file cannot be read: \#(reason)"#)
        }
    }

    @Test func `a file that is too large is not read to its end`() throws {
        let folder = try ScratchFolder()
        let path = try folder.write("weir.yaml", [UInt8](repeating: UInt8(ascii: "#"), count: (4 << 20) + 1))
        let error = #expect(throws: SettingsError.self) { try GatewayConfiguration.load(["WEIR_CONFIG": path]) }
        #expect(error?.description == "\(path):1:1: the file is larger than 4 MiB")
    }
}
