// SPDX-License-Identifier: Apache-2.0

import FoundationEssentials
import Testing
import Weir
import WeirAdapter

@Suite struct AdapterSettingsTests {
    private func read(_ environment: [String: String]) throws(SettingsError) -> AdapterSettings {
        try AdapterSettings(environment: environment)
    }

    @Test func `without variables the defaults hold, and the API is on a port of its own`() throws {
        let settings = try read([:])
        #expect(settings.engine.listen == [.tcp(host: nil, port: 6443)])
        #expect(settings.selector == "weir.dev/metrics=true" && settings.namespaces.isEmpty)
        #expect(settings.makesCertificate && settings.secretName == "weir-metrics-adapter-tls")
    }

    @Test func `variables are read, ours and those of every service`() throws {
        let settings = try read([
            "WEIR_ADAPTER_NAMESPACES": "shop, web", "WEIR_ADAPTER_SERVICE": "a", "WEIR_LISTEN": "127.0.0.1:7443",
            "WEIR_LOG_LEVEL": "debug", "WEIR_ADAPTER_EXTERNAL": "on", "WEIR_ADAPTER_INTERVAL": "250ms",
            // Of a Service that is called weir-adapter.
            "WEIR_ADAPTER_SERVICE_HOST": "10.0.0.1", "WEIR_ADAPTER_PORT": "tcp://10.0.0.1:443",
        ])
        #expect(settings.namespaces == ["shop", "web"] && settings.secretName == "a-tls" && settings.servesExternal)
        #expect(settings.engine.listen == [.tcp(host: "127.0.0.1", port: 7443)])
        #expect(settings.interval == .milliseconds(250))
    }

    @Test(
        arguments: [
            ("WEIR_ADAPTER_SELECTR", "a=b", "did you mean WEIR_ADAPTER_SELECTOR?"),
            ("WEIR_ADAPTER_NAMESPACES", "shop,shop", "at most 16 names of namespaces"),
            ("WEIR_ADAPTER_NAMESPACES", "Shop", "at most 16 names of namespaces"),
            ("WEIR_ADAPTER_ADMIN_PORT", "0", "from 1 to 65535"), ("WEIR_ADAPTER_WINDOW", "1h", "from 1s to 10m"),
            ("WEIR_ADAPTER_CERTIFICATE", "/a", "a certificate and its key, or neither"),
            ("WEIR_ADAPTER_INTERVAL", "30s", "an interval not above the age"),
            ("WEIR_LISTEN", "tls://:8443", "expected an address such as :6443"),
            ("WEIR_CONFIG", "/weir.yaml", "reads no configuration file"),
        ]
    )
    func `what is wrong is said in one line`(name: String, value: String, reason: String) {
        let error = #expect(throws: SettingsError.self) { try read([name: value]) }
        #expect(error?.description.contains(reason) == true, "\(error?.description ?? "")")
    }

    @Test func `the documentation has every setting as it is`() throws {
        let folder = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../docs/adapter.md")
        let text = try String(contentsOf: folder, encoding: .utf8)
        let rows = text.split(separator: "\n").filter { $0.hasPrefix("| `WEIR_ADAPTER_") }.map(String.init)
        #expect(rows == AdapterSettings.table.map(\.documentationRow))
    }
}
