// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import WeirAdapter
import WeirTLS
import WeirUpstream

@Suite struct WatchedPodTests {
    private func list(_ items: String) -> KubernetesList<WatchedPod>? {
        KubernetesJSON<WatchedPod>.list(Array("{\"metadata\":{\"resourceVersion\":\"7\"},\"items\":[\(items)]}".utf8))
    }

    private func pod(_ metadata: String = "", _ status: String = "") -> WatchedPod? {
        list("{\"metadata\":{\"name\":\"a\",\"namespace\":\"shop\"\(metadata)},\"status\":{\(status)}}")?.objects.first
    }

    @Test func `a pod is what the adapter needs of it`() {
        let found = pod(
            #","uid":"u","labels":{"app":"orders"},"annotations":{"weir.dev/admin-port":"9000"}"#,
            #""podIP":"10.0.0.1","phase":"Running","conditions":[{"type":"Ready","status":"True"}]"#
        )
        #expect(
            found
                == WatchedPod(
                    namespace: "shop",
                    name: "a",
                    uid: "u",
                    labels: ["app": "orders"],
                    host: "10.0.0.1",
                    adminPort: 9000
                )
        )
    }

    @Test func `one without an address is not asked, and one that ends does not count`() {
        #expect(pod() == WatchedPod(namespace: "shop", name: "a", isReady: false))
        #expect(pod("", #""podIP":"""#)?.host == nil)
        #expect(pod("", #""conditions":[{"type":"Ready","status":"False"}]"#)?.isReady == false)
        #expect(pod(#","deletionTimestamp":"2026-01-01T00:00:00Z""#)?.isEnding == true)
        for phase in ["Succeeded", "Failed"] { #expect(pod("", "\"phase\":\"\(phase)\"")?.isEnding == true) }
    }

    @Test(arguments: ["0", "70000", "-1", "http", ""])
    func `an annotation that is no port is as if it were not there`(text: String) {
        #expect(pod(",\"annotations\":{\"weir.dev/admin-port\":\"\(text)\"}")?.adminPort == nil)
    }

    @Test(arguments: [("https", true), ("http", false), ("HTTPS", false), ("", false)])
    func `an admin port speaks TLS where the annotation says so`(text: String, isSecure: Bool) {
        #expect(pod(",\"annotations\":{\"weir.dev/admin-scheme\":\"\(text)\"}")?.isSecure == isSecure)
    }

    @Test func `what is no list of pods is none`() {
        #expect(list(#"{"metadata":{"name":"a"}}"#) == nil)
        #expect(list(#"{"metadata":{"namespace":"a","labels":{"a":7}}}"#) == nil)
        #expect(list("7") == nil)
    }

    @Test func `events change the objects that they name`() throws {
        var table = ObjectTable<WatchedPod>(countMax: 2)
        let fits = table.add(try #require(list(#"{"metadata":{"name":"a","namespace":"shop"}}"#)))
        #expect(fits && table.resourceVersion == "7")
        func apply(_ type: String, _ name: String, _ version: String, namespace: String = "shop") -> KubernetesOutcome?
        {
            let metadata = "\"name\":\"\(name)\",\"namespace\":\"\(namespace)\",\"resourceVersion\":\"\(version)\""
            let event = KubernetesJSON<WatchedPod>.event(
                Array("{\"type\":\"\(type)\",\"object\":{\"metadata\":{\(metadata)}}}".utf8)
            )
            return event.map { table.apply($0) }
        }
        #expect(apply("MODIFIED", "a", "8") == .unchanged)
        #expect(apply("ADDED", "a", "9", namespace: "other") == .changed)
        #expect(apply("ADDED", "c", "10") == .tooMany)
        #expect(apply("DELETED", "a", "11") == .changed)
        #expect(apply("BOOKMARK", "", "12") == .unchanged)
        #expect(table.objects.keys.sorted() == ["other/a", "shop/c"] && table.resourceVersion == "12")
    }
}

@Suite struct QueueReadingTests {
    @Test(
        arguments: [
            "", "{}", "[]", "null", "nonsense", QueueReading.text() + "}",
            QueueReading.text().replacing("\"queued\":0.0", with: "\"queued\":-1"),
            QueueReading.text().replacing("\"queued\":0.0", with: "\"queued\":\"full\""),
            QueueReading.text().replacing("\"queued\":0.0,", with: ""),
            // So large that a sum of them is no number.
            QueueReading.text(queued: 1e300), QueueReading.text(limit: QueueReading.numberMax * 2),
        ]
    )
    func `what is no answer of a pod is none`(text: String) {
        #expect(QueueReading(parsing: Array(text.utf8)) == nil)
    }

    @Test func `an answer is read, and what is longer than one is not`() {
        let text = QueueReading.text(utilization: 1.5, queued: 7)
        let reading = QueueReading(parsing: Array(text.utf8))
        #expect(reading?.utilization == 1.5 && reading?.queued == 7 && reading?.offeredLoad == 15)
        let long = text + String(repeating: " ", count: QueueReading.bytesMax)
        #expect(QueueReading(parsing: Array(long.utf8)) == nil)
    }
}

@Suite struct ServingSecretTests {
    private static let host = "adapter.shop.svc"

    private func secret(_ json: [UInt8], host: String = host, now: Int64) -> ServingSecret? {
        ServingSecret(parsing: json, host: host, now: now)
    }

    /// As the server gives a Secret back.
    private func stored(_ pair: ServingPair, version: String = "7") -> [UInt8] {
        let text = String(decoding: ServingSecret.creation("adapter-tls", in: "shop", pair), as: UTF8.self)
        return Array(text.replacing("\"metadata\":{", with: "\"metadata\":{\"resourceVersion\":\"\(version)\",").utf8)
    }

    /// Certificates begin and end by the clock of the machine.
    private func present() -> Int64 { Int64(time(nil)) }

    @Test func `what is written is read again`() throws {
        let now = present()
        let pair = try ServingPair(making: Self.host, now: now)
        let read = try #require(secret(stored(pair), now: now))
        let found = try #require(read.pair)
        #expect(found.certificate == pair.certificate && found.key == pair.key && found.authorities == pair.authorities)
        #expect(abs(found.expiry - pair.expiry) <= 5 && read.resourceVersion == "7")
        let change = String(decoding: read.change(to: pair), as: UTF8.self)
        #expect(change.contains(#""metadata":{"resourceVersion":"7"}"#) && !change.contains("kind"))
    }

    @Test func `one for another host, that has ended, or that is none is not served with`() throws {
        let now = present()
        let pair = try ServingPair(making: Self.host, now: now)
        #expect(try #require(secret(stored(pair), host: "other.shop.svc", now: now)).pair == nil)
        #expect(try #require(secret(stored(pair), now: pair.expiry + 10)).pair == nil)
        #expect(try #require(secret(Array(#"{"metadata":{"resourceVersion":"7"}}"#.utf8), now: now)).pair == nil)
        let foreign = try ServingPair(making: Self.host, now: now)
        #expect(
            ServingPair(
                authorities: pair.authorities,
                certificate: pair.certificate,
                key: foreign.key,
                host: Self.host,
                now: now
            ) == nil
        )
        #expect(secret(Array("[]".utf8), now: now) == nil)
    }

    @Test func `a certificate is renewed thirty days before its end, and the former CA stays for one time`() throws {
        let now = present()
        let first = try ServingPair(making: Self.host, now: now)
        #expect(!first.needsRenewal(now: now) && !first.needsRenewal(now: first.expiry - 30 * 86_400))
        #expect(first.needsRenewal(now: first.expiry - 30 * 86_400 + 1))
        let second = try ServingPair(making: Self.host, former: first, now: now)
        #expect(second.authorities.count > first.authorities.count)
        #expect(second.authorities.suffix(first.authorities.count) == first.authorities[...])
        let third = try ServingPair(making: Self.host, former: second, now: now)
        #expect(count(third.authorities) == 2 && count(second.authorities) == 2 && count(first.authorities) == 1)
    }

    private func count(_ bundle: [UInt8]) -> Int {
        String(decoding: bundle, as: UTF8.self).split(separator: "-----BEGIN CERTIFICATE-----").count
    }

    @Test func `caBundle is changed where it is another`() throws {
        let text = #"{"spec":{"service":{"namespace":"shop","name":"adapter"},"caBundle":"QUJD"}}"#
        let present = try #require(APIServiceBundle(parsing: Array(text.utf8)))
        #expect(present.service == "shop/adapter")
        #expect(present.change(to: Array("ABC".utf8)) == nil)
        let change = try #require(present.change(to: Array("ABCD".utf8)))
        #expect(String(decoding: change, as: UTF8.self) == #"{"spec":{"caBundle":"QUJDRA=="}}"#)
        #expect(try #require(APIServiceBundle(parsing: Array(#"{"spec":{}}"#.utf8))).service == nil)
    }
}
