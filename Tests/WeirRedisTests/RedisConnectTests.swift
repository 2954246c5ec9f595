// SPDX-License-Identifier: Apache-2.0
// How a limiter gets into Redis: names, users, passwords, databases; and what it makes of those who are no Redis.

import Testing
import WeirEventLoop
import WeirFlow
import WeirMetrics
import WeirRedis
import WeirTestSupport

@Suite(.needs(RedisServer.isInstalled, RedisServer.missing))
struct RedisConnectTests {
    private static let protected = [
        "--requirepass", "pass@word", "--user", "weir", "on", ">us/er", "~weir:*", "+@all",
    ]

    @Test(arguments: [
        "redis://:pass%40word@localhost:%/3", "redis://weir:us%2Fer@127.0.0.1:%", "redis://:pass%40word@127.0.0.1:%",
    ])
    func `with the right user and password it is ready`(_ url: String) throws {
        let server = try RedisServer(Self.protected, onPort: true)
        let test = try HandTurnedLimiter(server.place(url))
        test.turn(until: "ready, by one of the name's addresses") {
            if test.isAway { test.advance(by: .milliseconds(50)) }
            return test.isReady
        }
        #expect(test.answer()?.isAllowed == true)
    }

    @Test(arguments: [
        ("redis://127.0.0.1:%", "wants a password"),
        ("redis://127.0.0.1:%/3", "wants a password"),
        ("redis://:hush@127.0.0.1:%", "refused the user or the password of WEIR_REDIS: WRONGPASS"),
        ("redis://nobody:hush@127.0.0.1:%", "refused the user or the password of WEIR_REDIS: WRONGPASS"),
        ("redis://:pass%40word@127.0.0.1:%/4000", "answered SELECT by: ERR DB index is out of range"),
    ])
    func `otherwise it says what is wrong, without the password, and tries on`(_ url: String, _ text: String) throws {
        let server = try RedisServer(Self.protected, onPort: true)
        var options = RedisLimiterOptions()
        options.connectTimeout = HandTurnedLimiter.hour
        let test = try HandTurnedLimiter(server.place(url), options: options)
        test.turn(until: "it is refused") { test.isAway }
        guard case .away(let problem)? = test.heard.reports.last else { return }
        #expect(problem.description.contains(text))
        #expect(!problem.description.contains("hush") && !problem.description.contains("pass@word"))
        test.turn(until: "it was tried again") {
            test.advance(by: .milliseconds(100))
            return test.metrics.value(.redisConnects) > 2
        }
        #expect(test.heard.reports.count == 1)
        #expect(test.answer() == .unavailable(.away))
    }

    @Test func `a password that nobody asked for is refused, too`() throws {
        let server = try RedisServer(onPort: true)
        let test = try HandTurnedLimiter(server.place("redis://:hush@127.0.0.1:%"))
        test.turn(until: "it is refused") { test.isAway }
        // "ERR AUTH <password> called without any password configured", of which only the first word is shown.
        #expect(
            test.heard.reports
                == [.away(.refused(url: "redis://***@127.0.0.1:\(server.portText)", command: "AUTH", answer: "ERR"))]
        )
    }

    @Test func `a name without an address is said, and tried again`() throws {
        let test = try HandTurnedLimiter("redis://no..name")
        test.turn(until: "it is not resolved") { test.isAway }
        #expect(test.heard.reports == [.away(.unresolved(url: "redis://no..name:6379"))])
    }

    @Test(arguments: [
        ("HTTP/1.1 400 Bad Request\r\n\r\n", "sent what is no reply of a Redis"),
        ("$100000\r\n" + String(repeating: "x", count: 5000), "sent what is no reply of a Redis"),
        (":1\r\n", "answered SCRIPT LOAD by: an answer of another kind"),
        ("-LOADING Redis is loading\r\n", "answered SCRIPT LOAD by: LOADING Redis is loading"),
        ("+a\r\n+b\r\n", "sent what is no reply of a Redis"),
    ])
    func `who is no Redis is left`(_ said: String, _ text: String) throws {
        let fake = try FakeRedis()
        let test = try HandTurnedLimiter(fake.url)
        test.turn()
        fake.accept()
        fake.say(said)
        test.turn(until: "it is left") { test.isAway }
        guard case .away(let problem)? = test.heard.reports.last else { return }
        #expect(problem.description.contains(text))
    }

    @Test func `one that accepts and says nothing is left after a second`() throws {
        let fake = try FakeRedis()
        let test = try HandTurnedLimiter(fake.url)
        test.turn()
        fake.accept()
        test.advance(by: .milliseconds(999))
        #expect(test.heard.reports.isEmpty)
        test.advance(by: .milliseconds(1))
        #expect(test.heard.reports == [.away(.silent(url: fake.url))])
    }

    @Test func `it is tried ever more rarely, up to every five seconds`() throws {
        let fake = try FakeRedis()
        let test = try HandTurnedLimiter(fake.url)
        var attempts = 0
        for _ in 0..<600 {
            test.turn()
            fake.accept()
            attempts += fake.connections.count
            fake.hangUp()
            test.turn()
            test.advance(by: .milliseconds(100))
        }
        // 100 ms doubles to 5 s in 6 steps; then every 2.5 to 5 s in a minute.
        #expect(attempts >= 6 + 10 && attempts <= 8 + 24)
    }

}

extension RedisServer {
    /// The place with this server's port.
    func place(_ url: String) -> String {
        // A "%" that is followed by a digit is an escape.
        var text = ""
        var rest = url[...]
        while let character = rest.popFirst() {
            text += character == "%" && !(rest.first?.isHexDigit ?? false) ? portText : String(character)
        }
        return text
    }
}
