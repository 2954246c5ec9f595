// SPDX-License-Identifier: Apache-2.0
// A request that leases a connection: writes down what it is told, and does what the test tells it to.

import Testing
import WeirEventLoop
import WeirHTTP
import WeirUpstream

/// The taker behind one lease.
///
/// `@unchecked Sendable`: the loop is in the test's hands, so there is one thread.
final class TestRequest: @unchecked Sendable {
    /// What came of asking for a connection.
    enum Answer: Equatable {
        case leased, waits, full, late, unavailable
        case failed(UpstreamFault)
    }

    private let pool: UpstreamPool
    let method: HTTPMethod
    private(set) var answers: [Answer] = []
    private var place: UInt64?
    /// The connection that it had last.
    private(set) var connection: UpstreamConnection?
    private(set) var connectedCount = 0
    private(set) var interim: [Int] = []
    private(set) var statuses: [Int] = []
    private(set) var body: [UInt8] = []
    private(set) var trailers: [String] = []
    private(set) var endedCount = 0
    private(set) var halfClosedCount = 0
    private(set) var settledCount = 0
    private(set) var drainedCount = 0
    private(set) var faults: [UpstreamFault] = []
    private(set) var availableCount = 0

    var onConnected: (UpstreamConnection) -> Void = { _ in }
    var onHead: (UpstreamConnection) -> Void = { _ in }
    var onBody: (UpstreamConnection) -> Void = { _ in }
    var onEnded: (UpstreamConnection) -> Void = { _ in }
    var onFailed: (UpstreamFault) -> Void = { _ in }
    /// Leases again unless a test wants otherwise.
    var onAvailable: () -> Void = {}

    init(_ test: PoolInHand, _ method: HTTPMethod) {
        pool = test.pool
        self.method = method
        onAvailable = { [unowned self] in lease() }
    }

    var taker: UpstreamEvents.Taker { Unmanaged.passUnretained(self).toOpaque() }
    var text: String { String(decoding: body, as: UTF8.self) }
    var isOver: Bool { endedCount + faults.count > 0 }

    @discardableResult
    func lease(
        route: Int = 0,
        after failed: Int? = nil,
        left: Nanoseconds = .max,
        edition: UpstreamEdition? = nil,
        yields: Bool = false
    ) -> Answer {
        let answer: Answer
        var tried = TriedEndpoints()
        if let failed { tried.insert(failed) }
        let lease = pool.lease(
            to: taker,
            method: method,
            route: route,
            tried: tried,
            place: place,
            left: left,
            edition: edition.map(Unmanaged.passUnretained),
            yields: yields
        )
        switch lease {
        case .connection(let leased):
            connection = leased.takeUnretainedValue()
            answer = .leased
        case .wait(let place):
            self.place = place
            answer = .waits
        case .full: answer = .full
        case .late: answer = .late
        case .unavailable: answer = .unavailable
        case .failed(let fault): answer = .failed(fault)
        }
        answers.append(answer)
        return answer
    }

    /// Writes a request to its end.
    func send(_ text: String = "GET / HTTP/1.1\r\nHost: a\r\n\r\n") {
        guard let connection else { return }
        write(Array(text.utf8))
        connection.endRequest()
    }

    /// Writes a part of a request.
    func write(_ bytes: [UInt8]) {
        guard let connection else { return }
        bytes.withUnsafeBytes { pool.loop.send(connection.channel, $0) }
        pool.loop.flush(connection.channel)
    }

    /// Leases a connection and writes a request to it.
    func begin() {
        #expect(lease() == .leased)
        send()
    }

    private static func of(_ taker: UpstreamEvents.Taker) -> TestRequest {
        Unmanaged<TestRequest>.fromOpaque(taker).takeUnretainedValue()
    }

    /// Immutable, and never freed.
    nonisolated(unsafe) static let events: UnsafePointer<UpstreamEvents> = {
        let events = UnsafeMutablePointer<UpstreamEvents>.allocate(capacity: 1)
        events.initialize(
            to: UpstreamEvents(
                connected: { taker, connection in
                    of(taker).connectedCount += 1
                    of(taker).onConnected(connection)
                },
                head: { taker, connection, _ in
                    let request = of(taker)
                    let head = connection.parser.pointee.head
                    if head.isInterim {
                        request.interim.append(head.status)
                    } else {
                        request.statuses.append(head.status)
                    }
                    request.onHead(connection)
                },
                body: { taker, connection, bytes in
                    of(taker).body.append(contentsOf: bytes)
                    of(taker).onBody(connection)
                },
                ended: { taker, connection, bytes, section in
                    let request = of(taker)
                    request.endedCount += 1
                    let span = Span<UInt8>(_unsafeBytes: bytes)
                    var iterator = TrailerIterator(section)
                    while let field = iterator.next(span) {
                        let name = String(decoding: bytes[field.name.bounds], as: UTF8.self)
                        request.trailers.append("\(name)=\(String(decoding: bytes[field.value.bounds], as: UTF8.self))")
                    }
                    request.onEnded(connection)
                },
                halfClosed: { taker, _ in of(taker).halfClosedCount += 1 },
                settled: { taker, _ in of(taker).settledCount += 1 },
                drained: { taker, _ in of(taker).drainedCount += 1 },
                failed: { taker, _, fault in
                    of(taker).faults.append(fault)
                    of(taker).onFailed(fault)
                },
                available: { taker in
                    of(taker).availableCount += 1
                    of(taker).onAvailable()
                }
            )
        )
        return UnsafePointer(events)
    }()
}
