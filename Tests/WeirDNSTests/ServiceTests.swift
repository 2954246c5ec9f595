// SPDX-License-Identifier: Apache-2.0

import Testing
import WeirDNS
import WeirEventLoop
import WeirTestSupport

@Suite struct ServiceAnswerTests {
    private let message = DNSMessage.services(
        "_http._tcp.orders.test",
        [
            .alias("_http._tcp.other.test", 25), .service("a.test", port: 81, priority: 2, weight: 3, 30),
            .service("b.test", port: 82, 20), .ipv4("10.0.0.1", 5),
        ]
    )

    @Test func `records are read with the shortest time of them and their aliases`() {
        let answer = ServiceAnswer(parsing: message)
        #expect(
            answer?.records == [
                ServiceAnswer.Record(priority: 2, weight: 3, port: 81, target: "a.test"),
                ServiceAnswer.Record(priority: 0, weight: 1, port: 82, target: "b.test"),
            ]
        )
        #expect(answer?.timeToLive == 20)
    }

    @Test func `a cut message is none`() {
        for count in 0..<message.count { #expect(ServiceAnswer(parsing: Array(message[..<count])) == nil) }
    }

    @Test func `a time with a sign is none`() {
        let message = DNSMessage.services("s.test", [.service("a.test", port: 81, 0x8000_0000)])
        #expect(ServiceAnswer(parsing: message)?.timeToLive == 0)
    }

    @Test func `a name that points at itself, or beyond the message, is refused`() {
        let pointers: [[UInt8]] = [[0xC0, 42], [0xFF, 0xFF]]
        for pointer in pointers {
            var message = DNSMessage.services("s.test", [.service("a.test", port: 81)])
            message.replaceSubrange((message.count - 8)..., with: pointer + [UInt8](repeating: 0, count: 6))
            #expect(ServiceAnswer(parsing: message) == nil)
        }
    }

    @Test func `no bytes make it trap`() {
        var random = SeededGenerator(seed: 11)
        for _ in 0..<5000 {
            var bytes = message
            for _ in 0..<random.below(8) + 1 { bytes[random.below(bytes.count)] = UInt8(random.below(256)) }
            _ = ServiceAnswer(parsing: bytes)
        }
    }
}

@Suite struct ServiceSelectionTests {
    private func record(_ target: String, _ priority: UInt16 = 0, weight: UInt16 = 1) -> ServiceAnswer.Record {
        ServiceAnswer.Record(priority: priority, weight: weight, port: 80, target: target)
    }

    @Test func `the best priority comes first, each in an order of its own`() {
        let groups = ServiceSelection.groups([record("b", 5), record("c", 1), record("a", 5)])
        #expect(groups.map { $0.map(\.target) } == [["c"], ["a", "b"]])
    }

    @Test(arguments: ["", "a b", "a\\013\\010x", "10.0.0.1", "a/b", "a:80"])
    func `a target that is no host's name is no endpoint`(_ target: String) {
        #expect(ServiceSelection.groups([record(target)]).isEmpty)
    }

    @Test(
        arguments: [
            ([1, 2, 3], [1, 2, 3]), ([0, 0], [1, 1]), ([0, 3], [1, 300]), ([0, 40_000], [1, 40_000]),
            ([0, 1000, 10], [1, 65_000, 650]),
            ([65_535], [65_535]), ([], []),
        ] as [([UInt16], [Int])]
    )
    func `a weight of 0 is a very small one beside others`(_ weights: [UInt16], _ expected: [Int]) {
        #expect(ServiceSelection.weights(weights) == expected)
    }
}

@Suite struct RefreshScheduleTests {
    @Test(arguments: [(0, 1), (1, 1), (30, 30), (300, 300), (301, 300), (UInt32.max, 300)] as [(UInt32, UInt64)])
    func `an answer is used for its time, within bounds`(_ timeToLive: UInt32, _ seconds: UInt64) {
        var schedule = RefreshSchedule()
        #expect(schedule.wait(afterAnswer: timeToLive) == seconds * 1_000_000_000)
    }

    @Test func `failures are retried with back-off, until an answer comes`() {
        var random = SeededGenerator(seed: 3)
        var schedule = RefreshSchedule()
        for _ in 0..<2 {
            for seconds: UInt64 in [1, 2, 4, 8, 16, 30, 30] {
                let wait = schedule.waitAfterFailure(using: &random)
                #expect(wait >= seconds * 500_000_000 && wait <= seconds * 1_000_000_000)
            }
            _ = schedule.wait(afterAnswer: 5)
        }
    }
}
