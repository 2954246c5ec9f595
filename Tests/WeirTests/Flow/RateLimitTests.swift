// SPDX-License-Identifier: Apache-2.0
// Rate limits on requests: what they count by, what a refusal says, and that one that refuses charges none.

import Testing
import Weir
import WeirMetrics

@Suite(.timeLimit(.minutes(2))) struct RateLimitTests {
    /// A limit that a test cannot wait out.
    private static func few(_ count: Int) -> RateLimit { .gcra(.perDay(count)) }

    private static func statuses(
        _ client: TestClient,
        _ requests: [(target: String, headers: Headers)]
    ) async throws -> [Int] {
        var statuses: [Int] = []
        for (target, headers) in requests { statuses.append(try await client.get(target, headers: headers).status) }
        return statuses
    }

    @Test(arguments: HandlerKind.allCases)
    func `beyond a limit a request is 429 with a reason and a time, and its handler does not run`(
        kind: HandlerKind
    ) async throws {
        let notes = Notes()
        let app = makeApp()
        app.handle(kind, "/", [.limit(Self.few(2))]) { _, _ in
            notes.add("ran")
            return .text("ran")
        }
        try await app.test { client async throws in
            #expect(try await Self.statuses(client, [("/", [:]), ("/", [:])]) == [200, 200])
            let response = try await client.get("/")
            #expect(response.status == 429)
            #expect(response.headers["Content-Type"] == "application/problem+json")
            // Half a day, rounded up; up to a minute has passed.
            let wait = try #require(response.headers["Retry-After"].flatMap { Int($0) })
            #expect((43_140...43_200).contains(wait))
            #expect(response.text.contains(#""reason":"rate_limited""#))
            let document = try ProblemDocument(response)
            #expect(document.type == "https://iana.org/assignments/http-problem-types#quota-exceeded")
            #expect(document.status == 429)
            #expect(client.rejected(.rateLimited) == 1)
            // What a limit refused has not asked to run.
            #expect(client.pod.arrived == 2)
            #expect(await client.untilQuiet())
        }
        #expect(notes.all.count == 2)
    }

    @Test func `an answer to what is no request says nothing of the limits of another`() async throws {
        let app = makeApp()
        app.handle(.loop, "/", [.limit(Self.few(5))]) { _, _ in .text("ran") }
        try await app.test { client async throws in
            #expect(try await client.get("/").headers["RateLimit"] != nil)
            let response = try #require(try await client.exchange("GET / HTTP/9\r\n\r\n").first)
            #expect(response.status >= 400 && response["Connection"] == "close")
            #expect(response["RateLimit"] == nil && response["RateLimit-Policy"] == nil)
        }
    }

    @Test func `a wait of less than a second is rounded up to one`() async throws {
        let app = makeApp()
        app.handle(.loop, "/", [.limit(.gcra(.perSecond(2), burst: 1))]) { _, _ in .text("ran") }
        try await app.test { client async throws in
            let text = String(repeating: "GET / HTTP/1.1\r\nHost: h\r\n\r\n", count: 50)
            let responses = try await client.exchange(text + "GET / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n")
            let refused = responses.filter { $0.status == 429 }
            #expect(!refused.isEmpty)
            #expect(Set(refused.map { $0["Retry-After"] }) == ["1"])
        }
    }

    @Test func `a refusal keeps its connection, takes the body that follows, and HEAD has none`() async throws {
        let app = makeApp()
        for method in [Method.get, .post, .head] {
            app.handle(.async, "/", [.limit(Self.few(1))], method: method) { _, _ in .text("ran") }
        }
        try await app.test { client async throws in
            let first =
                "GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST / HTTP/1.1\r\nHost: h\r\n\r\nHEAD / HTTP/1.1\r\nHost: h\r\n\r\n"
            let second = """
                GET / HTTP/1.1\r\nHost: h\r\n\r\nPOST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nbody!\
                POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nbody!\r\n0\r\n\r\n\
                HEAD / HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n
                """
            let methods: [Method] = [.get, .post, .head, .get, .post, .post, .head]
            let responses = try await client.exchange(first + second, methods: methods)
            #expect(responses.map(\.status) == [200, 200, 200, 429, 429, 429, 429])
            #expect(responses.last?.body == [])
            #expect(responses.last?["Content-Length"] != "0")
        }
    }

    /// What a limit counts by, and requests with what becomes of them where one is let through for each key.
    struct Keys: CustomTestStringConvertible, Sendable {
        let testDescription: String
        let key: RateLimitKey
        let requests: [(target: String, headers: Headers, status: Int)]
    }

    static let keys = [
        Keys(testDescription: "all together", key: .none, requests: [("/x/1", [:], 200), ("/y", ["Host": "b"], 429)]),
        Keys(
            testDescription: "host, in any case, with any port",
            key: .host,
            requests: [
                ("/y", ["Host": "a.example"], 200), ("/y", ["Host": "b.example"], 200),
                ("/y", ["Host": "A.Example"], 429),
                ("/x/1", ["Host": "a.example:8080"], 429), ("/y", ["Host": "[fd00::1]:80"], 200),
                ("/y", ["Host": "[fd00::1]"], 429), ("/y", ["Host": "[fd00::2]"], 200),
            ]
        ),
        Keys(
            testDescription: "route",
            key: .route,
            requests: [("/x/1", [:], 200), ("/x/2", [:], 429), ("/y", [:], 200), ("/y", [:], 429)]
        ),
        Keys(
            testDescription: "field, whose name has no case and whose value has",
            key: .header("X-Key"),
            requests: [
                ("/y", ["x-key": "a"], 200), ("/y", ["X-KEY": "a"], 429), ("/x/1", ["X-Key": "A"], 200),
                ("/y", [:], 200), ("/y", ["X-Other": "a"], 429), ("/y", ["X-Key": "aa"], 200),
            ]
        ),
        Keys(
            testDescription: "parameter, on routes that have it",
            key: .parameter("id"),
            requests: [
                ("/x/1", [:], 200), ("/x/2", [:], 200), ("/x/1", [:], 429), ("/x/%31", [:], 429), ("/y", [:], 200),
                ("/y", [:], 200),
            ]
        ),
    ]

    @Test(arguments: keys)
    func `requests of one key count together`(keys: Keys) async throws {
        let app = makeApp()
        app.group("", .limit(Self.few(1), by: keys.key)) { group in
            group.handle(.loop, "/x/:id") { _, _ in .text("x") }
            group.handle(.loop, "/y") { _, _ in .text("y") }
        }
        try await app.test { client async throws in
            let statuses = try await Self.statuses(client, keys.requests.map { ($0.target, $0.headers) })
            #expect(statuses == keys.requests.map(\.status))
        }
    }

    @Test(arguments: [
        (["192.0.2.1", "192.0.2.2", "192.0.2.1"], [200, 200, 429]),
        (["2001:db8:0:1::1", "2001:db8:0:1:ffff::2", "2001:db8:0:2::1"], [200, 429, 200]),
        // What is mapped is the IPv4 address.
        (["192.0.2.1", "::ffff:192.0.2.1", "::ffff:192.0.2.2"], [200, 429, 200]),
        // The nearest that is no trusted proxy.
        (["192.0.2.9, 192.0.2.1", "192.0.2.8, 192.0.2.1", "192.0.2.1, 10.0.0.1"], [200, 429, 429]),
    ])
    func `a client is who a trusted proxy says, and IPv6 clients are networks`(
        forwarded: [String],
        statuses: [Int]
    ) async throws {
        let app = makeApp { $0.trustedProxies = ["unix", "10.0.0.0/8"] }
        app.handle(.loop, "/", [.limit(Self.few(1), by: .client)]) { _, _ in .text("ran") }
        try await app.test { client async throws in
            let requests = forwarded.map { (target: "/", headers: ["X-Forwarded-For": $0] as Headers) }
            #expect(try await Self.statuses(client, requests) == statuses)
        }
    }

    @Test func `nobody else is believed`() async throws {
        let app = makeApp()
        app.handle(.loop, "/", [.limit(Self.few(1), by: .client)]) { _, _ in .text("ran") }
        try await app.test { client async throws in
            let requests = ["192.0.2.1", "192.0.2.2"].map { (target: "/", headers: ["X-Forwarded-For": $0] as Headers) }
            #expect(try await Self.statuses(client, requests) == [200, 429])
        }
    }

    @Test func `where one limit refuses none is charged`() async throws {
        let app = makeApp()
        app.handle(.loop, "/", [.limit(Self.few(2)), .limit(Self.few(1), by: .header("x-key"))]) { _, _ in .text("ran")
        }
        try await app.test { client async throws in
            var requests: [(target: String, headers: Headers)] = [("/", ["X-Key": "a"])]
            for _ in 0..<5 { requests.append(("/", ["X-Key": "a"])) }
            // Of the two for all, one is left.
            requests += [("/", ["X-Key": "b"]), ("/", ["X-Key": "c"])]
            #expect(try await Self.statuses(client, requests) == [200, 429, 429, 429, 429, 429, 200, 429])
        }
    }

    @Test func `a client is the same on all routes, whatever other limits they have`() async throws {
        let app = makeApp {
            $0.rateLimiting.limits = try! RateLimit.list("100/d;by=param:id,1/d;by=client")
        }
        app.handle(.loop, "/x/:id") { _, _ in .text("x") }
        app.handle(.loop, "/y") { _, _ in .text("y") }
        try await app.test { client async throws in
            #expect(try await Self.statuses(client, [("/x/1", [:]), ("/y", [:])]) == [200, 429])
        }
    }

    @Test func `a route's limits are beside the server's, and a bounded number`() throws {
        let app = makeApp { $0.rateLimiting.limits = try! RateLimit.list("1/s,2/s,3/s,4/s,5/s") }
        app.get("/", .limit(Self.few(1)), .limit(Self.few(1)), .limit(Self.few(1))) { _, _ in .text("8") }
        #expect(throws: Never.self) { try app.validate() }
        let more = makeApp { $0.rateLimiting.limits = try! RateLimit.list("1/s,2/s,3/s,4/s,5/s,6/s") }
        more.get("/", .limit(Self.few(1)), .limit(Self.few(1)), .limit(Self.few(1))) { _, _ in .text("9") }
        let error = #expect(throws: AppError.self) { try more.validate() }
        #expect(error.map { "\($0)" }?.contains("has 9 limits with those of all routes; expected at most 8") == true)
    }

    @Test func `a limit of the cluster is divided by the replicas`() async throws {
        let app = makeApp {
            $0.rateLimiting.scope = .cluster
            $0.rateLimiting.replicas = 3
        }
        app.handle(.loop, "/all", [.limit(Self.few(6))]) { _, _ in .text("all") }
        try await app.test { client async throws in
            let all = Array(repeating: (target: "/all", headers: Headers()), count: 4)
            #expect(try await Self.statuses(client, all) == [200, 200, 429, 429])
        }
    }
}
