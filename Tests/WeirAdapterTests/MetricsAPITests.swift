// SPDX-License-Identifier: Apache-2.0

import Testing
import Weir
import WeirAdapter
import WeirEventLoop

@Suite struct MetricsRequestTests {
    private func request(_ path: String, _ query: String = "") throws -> MetricsRequest {
        try MetricsRequest(path: path, query: Query(text: query))
    }

    @Test func `paths are requests`() throws {
        let custom = "/apis/custom.metrics.k8s.io/v1beta2"
        #expect(try request("/apis") == .groups)
        #expect(try request("/apis/") == .groups)
        #expect(try request("/apis/custom.metrics.k8s.io") == .group("custom.metrics.k8s.io"))
        #expect(try request(custom) == .resources(.customV1beta2))
        #expect(try request("/apis/external.metrics.k8s.io/v1beta1") == .resources(.externalV1beta1))
        #expect(try request("/openapi/v2") == .openAPI2 && request("/openapi/v3") == .openAPI3(nil))
        #expect(try request("/openapi/v3\(custom)") == .openAPI3(.customV1beta2))
        #expect(
            try request("\(custom)/namespaces/shop/pods/*/m", "labelSelector=a%3Db&metricLabelSelector=c")
                == .pods(
                    .customV1beta2,
                    namespace: "shop",
                    name: nil,
                    metric: .init("m", selector: "c"),
                    LabelSelector([.isIn("a", ["b"])])
                )
        )
        #expect(
            try request("/apis/custom.metrics.k8s.io/v1beta1/namespaces/shop/pods/a/m")
                == .pods(.customV1beta1, namespace: "shop", name: "a", metric: .init("m"), .all)
        )
        #expect(
            try request("\(custom)/namespaces/shop/services/a/m")
                == .service(.customV1beta2, namespace: "shop", name: "a", metric: .init("m"))
        )
        #expect(
            try request("/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/m", "labelSelector=a")
                == .external(namespace: "shop", metric: .init("m"), LabelSelector([.exists("a")]))
        )
    }

    @Test(
        arguments: [
            "/", "/api", "/openapi", "/openapi/v4",
            "/openapi/v3/apis/metrics.k8s.io/v1beta1",
            "/apis/custom.metrics.k8s.io/v1",
            "/apis/custom.metrics.k8s.io/v1beta2/x",
            "/apis/custom.metrics.k8s.io/v1beta2/nodes/a/m",
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/a",
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/deployments.apps/a/m",
            "/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/pods/a/m/more",
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop", "/apis/external.metrics.k8s.io/v1beta1/a/b/c",
        ]
    )
    func `other paths are not there`(path: String) {
        #expect(throws: MetricsRequest.Fault.unknown) { try request(path) }
    }

    @Test func `a selector that is none is a bad request`() {
        for path in [
            "custom.metrics.k8s.io/v1beta2/namespaces/a/pods/*/m", "external.metrics.k8s.io/v1beta1/namespaces/a/m",
        ] {
            do {
                _ = try request("/apis/\(path)", "labelSelector=a%20b")
                Issue.record("it is taken")
            } catch let fault as MetricsRequest.Fault {
                guard case .malformed(let text) = fault else {
                    Issue.record("\(fault)")
                    continue
                }
                #expect(text.contains("\"a b\""))
            } catch {
                Issue.record(error)
            }
        }
    }
}

@Suite struct MetricsAPITests {
    private static let now = 100 * PodSample.second
    private let api = MetricsAPI(servesExternal: true, version: "1")
    private let table: SignalTable

    init() {
        var table = SignalTable(SignalTiming(window: 10 * PodSample.second, ageMax: 15 * PodSample.second))
        let pods = ["a", "b"].map { WatchedPod(namespace: "shop", name: $0, labels: ["app": "orders"]) }
        table.follow(pods, now: 0)
        table.add(.at(95, QueueReading.text(queueSeconds: 1)), of: "shop/a", uid: "")
        table.add(.at(99, QueueReading.text(utilization: 0.85, queueSeconds: 7)), of: "shop/a", uid: "")
        self.table = table
    }

    private func answer(_ path: String, _ query: String = "", _ api: MetricsAPI? = nil) -> (status: Int, text: String) {
        let answer = (api ?? self.api).answer(path: path, query: Query(text: query), table, now: Self.now)
        return (answer.status, String(decoding: answer.body, as: UTF8.self))
    }

    @Test func `a value of v1beta2 has a metric, and one of v1beta1 a metric's name`() {
        let path = "/namespaces/shop/pods/*/weir_requests_queued"
        let pod = #"{"apiVersion":"v1","kind":"Pod","name":"a","namespace":"shop"}"#
        let newer = answer("/apis/custom.metrics.k8s.io/v1beta2\(path)", "metricLabelSelector=!x")
        #expect(
            newer.text == """
                {"apiVersion":"custom.metrics.k8s.io/v1beta2","items":[{"describedObject":\(pod),\
                "metric":{"name":"weir_requests_queued","selector":{"matchExpressions":[{"key":"x",\
                "operator":"DoesNotExist"}]}},"timestamp":"1970-01-01T00:01:39Z","value":"1500m","windowSeconds":4}],\
                "kind":"MetricValueList","metadata":{}}
                """
        )
        let older = answer("/apis/custom.metrics.k8s.io/v1beta1\(path)")
        #expect(
            older.text == """
                {"apiVersion":"custom.metrics.k8s.io/v1beta1","items":[{"describedObject":\(pod),\
                "metricName":"weir_requests_queued","timestamp":"1970-01-01T00:01:39Z","value":"1500m","window":4}],\
                "kind":"MetricValueList","metadata":{}}
                """
        )
        #expect(newer.status == 200 && older.status == 200)
    }

    @Test func `an external value is one of all`() {
        let answer = answer(
            "/apis/external.metrics.k8s.io/v1beta1/namespaces/shop/weir_utilization_ratio",
            "labelSelector=app%3Dorders"
        )
        #expect(
            answer.text == """
                {"apiVersion":"external.metrics.k8s.io/v1beta1","items":[{"metricLabels":{},\
                "metricName":"weir_utilization_ratio","timestamp":"1970-01-01T00:01:39Z","value":"850m"}],\
                "kind":"ExternalMetricValueList","metadata":{}}
                """
        )
    }

    @Test func `the documents of OpenAPI have the paths that are served, in the form of each version`() throws {
        let values = "/namespaces/{namespace}/{resource}/{name}/{subresource}"
        let older = answer("/openapi/v2").text
        for version in ["v1beta1", "v1beta2"] {
            #expect(older.contains("\"/apis/custom.metrics.k8s.io/\(version)/\":"))
            #expect(older.contains("\"/apis/custom.metrics.k8s.io/\(version)\(values)\":"))
        }
        #expect(older.contains(#""/apis/external.metrics.k8s.io/v1beta1/namespaces/{namespace}/{name}":"#))
        #expect(older.contains(#"{"in":"path","name":"subresource","required":true,"type":"string"}"#))
        #expect(
            answer("/openapi/v3").text.contains(
                """
                "apis/custom.metrics.k8s.io/v1beta2":\
                {"serverRelativeURL":"/openapi/v3/apis/custom.metrics.k8s.io/v1beta2"}
                """
            )
        )
        let newer = answer("/openapi/v3/apis/custom.metrics.k8s.io/v1beta2").text
        #expect(newer.contains("\"/apis/custom.metrics.k8s.io/v1beta2\(values)\":") && !newer.contains("v1beta1"))
        #expect(newer.contains(#"{"in":"query","name":"labelSelector","required":false,"schema":{"type":"string"}}"#))
        let alone = MetricsAPI(servesExternal: false, version: "1")
        #expect(!answer("/openapi/v2", "", alone).text.contains("external"))
        #expect(answer("/openapi/v3/apis/external.metrics.k8s.io/v1beta1", "", alone).status == 404)
    }

    @Test func `external metrics are not there where they are not served`() {
        let api = MetricsAPI(servesExternal: false, version: "1")
        for path in ["", "/v1beta1", "/v1beta1/namespaces/shop/weir_utilization_ratio"] {
            #expect(answer("/apis/external.metrics.k8s.io\(path)", "", api).status == 404)
        }
        #expect(!answer("/apis", "", api).text.contains("external"))
    }

    @Test(
        arguments: [
            ("pods/*/nothing", "", 404, "there is no metric nothing; there are weir_utilization_ratio"),
            ("pods/none/weir_requests_queued", "", 404, "no pods of namespace shop called none"),
            ("pods/b/weir_requests_queued", "", 503, "none of the 1 pods of namespace shop called b has answered"),
            ("services/none/weir_requests_queued", "", 404, "no ready pods of the service shop/none"),
            ("pods/*/weir_requests_queued", "metricLabelSelector=pool%3Da", 404, "has no labels"),
            ("pods/*/weir_requests_queued", "metricLabelSelector=a%20b", 400, "is no label selector"),
        ]
    )
    func `a refusal is a Status that says why`(path: String, query: String, status: Int, text: String) {
        let answer = answer("/apis/custom.metrics.k8s.io/v1beta2/namespaces/shop/\(path)", query)
        #expect(answer.status == status)
        #expect(answer.text.contains(#""kind":"Status""#) && answer.text.contains(#""code":\#(status)"#))
        #expect(answer.text.contains(text), "\(answer.text)")
    }

    @Test(
        arguments: [
            (0, "1970-01-01T00:00:00Z"), (951_782_399, "2000-02-28T23:59:59Z"), (951_782_400, "2000-02-29T00:00:00Z"),
            (1_709_251_200, "2024-03-01T00:00:00Z"), (1_798_761_599, "2026-12-31T23:59:59Z"),
            (4_107_542_400, "2100-03-01T00:00:00Z"), (-1, "1969-12-31T23:59:59Z"),
        ] as [(Int64, String)]
    )
    func `a time is as RFC 3339 has it`(seconds: Int64, text: String) {
        #expect(Timestamp.text(seconds) == text)
    }
}
