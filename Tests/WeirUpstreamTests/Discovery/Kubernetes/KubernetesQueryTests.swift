// SPDX-License-Identifier: Apache-2.0
// What is asked, of whom, and by whom.

import Glibc
import Testing
import WeirEventLoop
import WeirTestSupport
import WeirUpstream

@Suite struct KubernetesServiceTests {
    @Test(
        arguments: [
            ("shop/orders", .only), ("shop/orders:8080", .number(8080)), ("shop/orders:http", .name("http")),
            ("shop/orders:http-2", .name("http-2")), ("s/o:8080a", .name("8080a")),
        ] as [(String, KubernetesService.Port)]
    )
    func `a service has its namespace, its name and a port, and reads back`(
        _ text: String,
        _ port: KubernetesService.Port
    ) throws {
        let service = try #require(KubernetesService(parsing: text))
        #expect(service.port == port && service.description == text)
    }

    @Test(arguments: [
        "", "orders", "/orders", "shop/", "shop/orders/x", "shop/orders:", "shop/orders:0", "shop/orders:08",
        "shop/orders:65536", "shop/orders:a:b", "Shop/orders", "shop/or_ders", "-shop/orders", "shop/orders-",
        "shop/orders:HTTP", "shop/orders?x=1", "a.b/orders", "shop/\(String(repeating: "a", count: 64))",
    ])
    func `anything else is none`(_ text: String) {
        #expect(KubernetesService(parsing: text) == nil)
    }
}

@Suite struct KubernetesAPITests {
    @Test(arguments: [
        ("http://127.0.0.1:8001", "http://127.0.0.1:8001", "127.0.0.1"), ("http://proxy", "http://proxy", "proxy"),
        ("https://10.0.0.1", "https://10.0.0.1", "10.0.0.1"),
        ("https://[fd00::1]", "https://[fd00::1]", "fd00::1"),
        ("https://[fd00::1]:6443", "https://[fd00::1]:6443", "fd00::1"),
        ("https://kubernetes.default.svc", "https://kubernetes.default.svc", "kubernetes.default.svc"),
    ])
    func `a server is a URL`(_ text: String, _ shown: String, _ host: String) throws {
        let api = try #require(KubernetesAPI(parsing: text))
        #expect(api.description == shown && api.host == host && api.isSecure == text.hasPrefix("https"))
    }

    @Test(arguments: [
        "", "127.0.0.1", "ftp://a", "http://", "http://a/b", "https://u:p@a", "http://a;weight=2", "unix:/s",
    ])
    func `anything else is no server`(_ text: String) {
        #expect(KubernetesAPI(parsing: text) == nil)
    }

    @Test(arguments: [
        (["KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "6443"], "https://10.96.0.1:6443"),
        (["KUBERNETES_SERVICE_HOST": "fd00::1", "KUBERNETES_SERVICE_PORT": "443"], "https://[fd00::1]"),
        (["KUBERNETES_SERVICE_HOST": "10.96.0.1"], "https://10.96.0.1"),
        (["KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "no"], nil),
        (["KUBERNETES_SERVICE_HOST": ""], nil), ([:], nil),
    ])
    func `a pod is told where the server is`(_ environment: [String: String], _ expected: String?) {
        #expect(KubernetesAPI(environment: environment)?.description == expected)
    }
}

@Suite struct EndpointSliceQueryTests {
    private func text(_ request: [UInt8]) -> String { String(decoding: request, as: UTF8.self) }

    @Test func `a query has all that it was given, encoded`() throws {
        let service = try #require(KubernetesService(parsing: "shop/orders:http"))
        let api = try #require(KubernetesAPI(parsing: "http://127.0.0.1:8001"))
        let query = EndpointSliceQuery(service, from: api.url)
        #expect(
            text(query.list(.v1, token: nil)) == """
                GET /apis/discovery.k8s.io/v1/namespaces/shop/endpointslices\
                ?labelSelector=kubernetes.io%2Fservice-name%3Dorders&limit=20 HTTP/1.1\r
                Host: 127.0.0.1:8001\r
                Accept: application/json\r
                User-Agent: weir\r
                \r

                """
        )
        #expect(text(query.list(.v1beta1, continuation: "a+b", token: nil)).contains("/v1beta1/namespaces/"))
        #expect(
            text(query.list(.v1, continuation: "a+b", token: nil)).contains("&limit=20&continue=a%2Bb HTTP/1.1\r\n")
        )
        let watch = text(query.watch(.v1, from: "47/11", seconds: 300, token: "secret"))
        #expect(
            watch.contains(
                "&watch=true&allowWatchBookmarks=true&resourceVersion=47%2F11&timeoutSeconds=300 HTTP/1.1\r\n"
            )
        )
        #expect(watch.hasSuffix("\r\nAuthorization: Bearer secret\r\n\r\n"))
    }
}

@Suite struct ServiceAccountTokenTests {
    private func read(_ text: String) throws -> Result<String?, KubernetesProblem> {
        let folder = try ScratchFolder()
        _ = try folder.write("token", Array(text.utf8))
        do throws(KubernetesProblem) {
            return .success(try ServiceAccountToken.read(in: folder.path))
        } catch {
            return .failure(error)
        }
    }

    @Test(arguments: ["abc.def-ghi", "abc.def-ghi\n", "abc.def-ghi \r\n"])
    func `a token is what stands in its file`(_ text: String) throws {
        #expect(try read(text).get() == "abc.def-ghi")
    }

    @Test(arguments: [
        "", "\n", "a b", "a\r\nX: y", "ü", String(repeating: "a", count: ServiceAccountToken.bytesMax + 1),
    ])
    func `one that would change the request is refused`(_ text: String) throws {
        #expect(throws: KubernetesProblem.self) { try read(text).get() }
    }

    @Test func `without a file there is none`() throws {
        #expect(try ServiceAccountToken.read(in: "/nonexistent") == nil)
    }
}
