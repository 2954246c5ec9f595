// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirAdapter

@Suite struct FrontProxyTests {
    private func read(_ data: String) throws(FrontProxy.Fault) -> FrontProxy {
        try FrontProxy(configMap: Array("{\"kind\":\"ConfigMap\",\"data\":{\(data)}}".utf8))
    }

    @Test func `the ConfigMap says by whom and as whom`() throws {
        let proxy = try read(
            #"""
            "client-ca-file":"other","requestheader-client-ca-file":"PEM","requestheader-allowed-names":"[\"a\",\"b\"]",
            "requestheader-username-headers":"[\"X-Remote-User\",\"X-User\"]"
            """#
        )
        #expect(proxy.authorities == Array("PEM".utf8) && proxy.allowedNames == ["a", "b"])
        #expect(proxy.userFields == ["X-Remote-User", "X-User"])
        let least = try read(#""requestheader-client-ca-file":"PEM""#)
        #expect(least.allowedNames.isEmpty && least.userFields == ["X-Remote-User"])
    }

    @Test func `what lets nobody in is a fault`() {
        #expect(throws: FrontProxy.Fault.noAuthorities) { try read("") }
        #expect(throws: FrontProxy.Fault.noAuthorities) { try read(#""client-ca-file":"PEM""#) }
        #expect(throws: FrontProxy.Fault.badList("requestheader-allowed-names")) {
            try read(#""requestheader-client-ca-file":"PEM","requestheader-allowed-names":"a""#)
        }
        #expect(throws: FrontProxy.Fault.malformed) { try FrontProxy(configMap: Array("[]".utf8)) }
    }

    @Test(
        arguments: [
            ("CN=front-proxy-client", "root", true), ("CN=front-proxy-client,O=Shop", "root", true),
            ("CN=front-proxy-client", "", false), ("CN=front-proxy-client", nil, false), (nil, "root", false),
            ("CN=other", "root", false), ("O=front-proxy-client", "root", false), ("", "root", false),
            (#"O=x\,CN=front-proxy-client"#, "root", false), ("CN=other,CN=front-proxy-client", "root", false),
            (#"CN=front-proxy-client\,x"#, "root", false), ("cn=front-proxy-client", "root", false),
        ] as [(String?, String?, Bool)]
    )
    func `a certificate with an allowed name, and a user, are asked for`(subject: String?, user: String?, admits: Bool)
    {
        let proxy = FrontProxy(authorities: [], allowedNames: ["front-proxy-client"])
        #expect(proxy.admits(subject: subject, field: { $0 == "X-Remote-User" ? user : nil }) == admits)
    }

    @Test func `without names any certificate of the CA will do, but none will not`() {
        let proxy = FrontProxy(authorities: [])
        #expect(proxy.admits(subject: "O=Shop", field: { _ in "root" }))
        #expect(!proxy.admits(subject: nil, field: { _ in "root" }))
    }

    @Test(
        arguments: [
            ("CN=a", "a"), ("O=b,CN=a", "a"), ("O=b+CN=a", "a"), (#"CN=a\, b"#, "a, b"), (#"CN=a\2Cb"#, "a,b"),
            (#"CN=\C3\A9"#, "é"), (#"CN=a\"#, nil), ("CN=#0C0161", nil), ("CN=a,CN=b", nil), ("O=a", nil), ("", nil),
        ] as [(String, String?)]
    )
    func `a common name is read with its escapes`(subject: String, name: String?) {
        #expect(CommonName.of(subject) == name)
    }
}
