// SPDX-License-Identifier: Apache-2.0
// A service under load, in simulated time: requests come at random, wait as a discipline says, and run for a while.

import Glibc
import WeirFlow
import WeirTestSupport

/// Who runs and who waits. A request is a number; all come with the same budget, and clients of the same patience.
protocol Discipline {
    init(limit: Int, queueLimit: Int)
    /// Whether it runs at once.
    mutating func arrive(_ request: Int, deadline: Nanoseconds, now: Nanoseconds) -> Bool
    /// One runs no more: who runs now.
    mutating func leave(_ request: Int, _ ending: RunEnding, after execution: Nanoseconds, now: Nanoseconds) -> Int?
    /// Its deadline has passed, or its client has left, wherever it is.
    mutating func expire(_ request: Int, now: Nanoseconds)
}

/// How an execution ends.
enum RunEnding {
    case finished
    /// Its deadline has passed.
    case late
    /// Its client has left, unannounced.
    case abandoned
}

struct OverloadSimulation {
    enum Service: String { case constant, exponential }

    var load: Double
    var service = Service.constant
    var limit = 8
    var queueLimit = 32
    var meanExecution = 100 * millisecond
    var budget = second
    /// For how long a client waits, which nobody is told.
    var patience = Nanoseconds.max
    var length = 30 * second

    /// Requests served before their deadline, as a share of what the service can carry.
    func servedInTime<D: Discipline>(_: D.Type) -> Double {
        var discipline = D(limit: limit, queueLimit: queueLimit)
        return servedInTime(&discipline)
    }

    func servedInTime(_ discipline: inout some Discipline) -> Double {
        var random = SeededGenerator(seed: 42)
        let capacity = Double(limit) / Double(meanExecution)
        /// By number: when each request's deadline has passed, or its client has left. They come in the order of the
        /// numbers.
        var deadlines: [Nanoseconds] = []
        var firstPending = 0
        var executing: [(end: Nanoseconds, start: Nanoseconds, request: Int)] = []
        var nextArrival: Nanoseconds = 0
        var served = 0

        func begin(_ request: Int, at now: Nanoseconds) {
            let execution = service == .constant ? meanExecution : random.exponential(mean: Double(meanExecution))
            // Then it is cancelled, and its place is free, whatever the service still does for it.
            executing.append((min(now + execution, deadlines[request]), now, request))
        }

        while true {
            let ending = executing.indices.min { executing[$0].end < executing[$1].end }
            let end = ending.map { executing[$0].end } ?? .max
            let expiry = firstPending < deadlines.count ? deadlines[firstPending] : .max
            let now = min(nextArrival, end, expiry)
            guard now < length else { break }
            if now == end, let ending {
                let done = executing.remove(at: ending)
                let isServed = now < deadlines[done.request]
                if isServed { served += 1 }
                let ending: RunEnding = isServed ? .finished : budget <= patience ? .late : .abandoned
                if let next = discipline.leave(done.request, ending, after: now - done.start, now: now) {
                    begin(next, at: now)
                }
            } else if now == expiry {
                discipline.expire(firstPending, now: now)
                firstPending += 1
            } else {
                deadlines.append(now + min(budget, patience))
                let request = deadlines.count - 1
                if discipline.arrive(request, deadline: now + budget, now: now) { begin(request, at: now) }
                nextArrival = now + random.exponential(mean: 1 / (capacity * load))
            }
        }
        return Double(served) / (capacity * Double(length))
    }
}

extension SeededGenerator {
    fileprivate mutating func exponential(mean: Double) -> Nanoseconds {
        Nanoseconds(-log(1 - Double.random(in: 0..<1, using: &self)) * mean) + 1
    }
}

// MARK: The disciplines

/// The product's.
struct PoolDiscipline: Discipline {
    private let pool: AdmissionPool
    private var waiting: [Int: AdmissionTicket] = [:]
    /// How long those that run had to wait.
    private var waits: [Int: Nanoseconds] = [:]

    var counts: AdmissionCounts { pool.signals(now: 0).counts }

    init(limit: Int, queueLimit: Int) { pool = AdmissionPool(limit: limit, queueLimit: queueLimit, now: 0) }

    mutating func arrive(_ request: Int, deadline: Nanoseconds, now: Nanoseconds) -> Bool {
        let ticket = AdmissionTicket(owner: UnsafeMutableRawPointer(bitPattern: request))
        switch pool.enter(ticket, priority: .default, deadline: deadline, now: now) {
        case .admitted: return true
        case .queued:
            waiting[request] = ticket
            return false
        case .refused: return false
        }
    }

    mutating func leave(_ request: Int, _ ending: RunEnding, after execution: Nanoseconds, now: Nanoseconds) -> Int? {
        let wait = waits.removeValue(forKey: request)
        if ending == .abandoned, let wait { pool.clientLeft(afterWaiting: wait) }
        guard let next = pool.leave(executionNanoseconds: execution, isCutShort: ending != .finished, now: now) else {
            return nil
        }
        let granted = Int(bitPattern: next.owner)
        waiting[granted] = nil
        waits[granted] = now - next.enqueuedAt
        return granted
    }

    mutating func expire(_ request: Int, now: Nanoseconds) {
        if let ticket = waiting.removeValue(forKey: request) { _ = pool.cancel(ticket, now: now) }
    }
}

/// First in, first out, with nothing but a bound.
struct BoundedQueue: Discipline {
    var line: StandingLine
    init(limit: Int, queueLimit: Int) { line = StandingLine(limit: limit, queueLimit: queueLimit) }

    mutating func arrive(_ request: Int, deadline: Nanoseconds, now: Nanoseconds) -> Bool {
        line.arrive(request, now: now, isNewestKept: false)
    }
    mutating func leave(_: Int, _: RunEnding, after _: Nanoseconds, now _: Nanoseconds) -> Int? {
        line.next(isNewestFirst: false)
    }
    mutating func expire(_ request: Int, now _: Nanoseconds) { line.remove(request) }
}

/// Adaptive LIFO: when the queue has stood for 100 ms, the newest goes first and the oldest makes room.
struct NewestFirstUnderOverload: Discipline {
    var line: StandingLine
    init(limit: Int, queueLimit: Int) { line = StandingLine(limit: limit, queueLimit: queueLimit) }

    mutating func arrive(_ request: Int, deadline _: Nanoseconds, now: Nanoseconds) -> Bool {
        line.arrive(request, now: now, isNewestKept: line.isStanding(now))
    }
    mutating func leave(_: Int, _: RunEnding, after _: Nanoseconds, now: Nanoseconds) -> Int? {
        line.next(isNewestFirst: line.isStanding(now))
    }
    mutating func expire(_ request: Int, now _: Nanoseconds) { line.remove(request) }
}

/// Controlled delay for request queues: who has waited for 100 ms is dropped; when the queue has stood that long, who
/// has waited for 20 ms.
struct ControlledDelay: Discipline {
    var line: StandingLine
    init(limit: Int, queueLimit: Int) { line = StandingLine(limit: limit, queueLimit: queueLimit) }

    mutating func arrive(_ request: Int, deadline _: Nanoseconds, now: Nanoseconds) -> Bool {
        line.arrive(request, now: now, isNewestKept: false)
    }
    mutating func leave(_: Int, _: RunEnding, after _: Nanoseconds, now: Nanoseconds) -> Int? {
        line.dropOlder(than: line.isStanding(now) ? 20 * millisecond : 100 * millisecond, now: now)
        return line.next(isNewestFirst: false)
    }
    mutating func expire(_ request: Int, now _: Nanoseconds) { line.remove(request) }
}

/// A bounded queue that knows since when it has not been empty.
struct StandingLine {
    let limit: Int
    let queueLimit: Int
    private var executing = 0
    private var waiting: [(request: Int, since: Nanoseconds)] = []
    private var standingSince: Nanoseconds = 0

    init(limit: Int, queueLimit: Int) {
        self.limit = limit
        self.queueLimit = queueLimit
    }

    func isStanding(_ now: Nanoseconds) -> Bool { !waiting.isEmpty && now - standingSince > 100 * millisecond }

    mutating func arrive(_ request: Int, now: Nanoseconds, isNewestKept: Bool) -> Bool {
        if executing < limit {
            executing += 1
            return true
        }
        if waiting.isEmpty { standingSince = now }
        if waiting.count == queueLimit, isNewestKept { waiting.removeFirst() }
        if waiting.count < queueLimit { waiting.append((request, now)) }
        return false
    }

    mutating func next(isNewestFirst: Bool) -> Int? {
        guard let next = isNewestFirst ? waiting.popLast() : waiting.isEmpty ? nil : waiting.removeFirst() else {
            executing -= 1
            return nil
        }
        return next.request
    }

    mutating func dropOlder(than age: Nanoseconds, now: Nanoseconds) { waiting.removeAll { now - $0.since > age } }
    mutating func remove(_ request: Int) { waiting.removeAll { $0.request == request } }
}
