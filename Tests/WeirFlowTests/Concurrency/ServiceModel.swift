// SPDX-License-Identifier: Apache-2.0
// A service behind a concurrency limit, event by event in virtual time.

import Glibc
import WeirFlow
import WeirTestSupport

/// What the service is like from some second on.
struct ServiceStage: Sendable {
    enum Time: Sendable {
        case fixed
        /// A log-normal time with this deviation of the logarithm.
        case logNormal(Double)
        /// A Pareto time with this shape; up to 2 its variance is infinite.
        case pareto(Double)
    }

    var from = 0.0
    var servers: Int
    var meanSeconds: Double
    var time = Time.fixed
    /// Requests for each second. Above `servers / meanSeconds` it is overload.
    var offered: Double
    /// Whether they come in equal distances, and not at random.
    var isEven = false
    /// Requests that the service turns away itself while it works on as many as it can.
    var refuses = false
    /// The share of the requests that time out after a second, whatever else goes on; they take no server meanwhile.
    var failingShare = 0.0

    func seconds(_ random: inout SeededGenerator) -> Double {
        let uniform = Double.random(in: 1e-12..<1, using: &random)
        switch time {
        case .fixed: return meanSeconds
        case .logNormal(let sigma):
            let normal = sqrt(-2 * log(uniform)) * cos(2 * .pi * Double.random(in: 0..<1, using: &random))
            return meanSeconds * exp(sigma * normal - sigma * sigma / 2)
        case .pareto(let shape): return meanSeconds * (shape - 1) / shape * pow(uniform, -1 / shape)
        }
    }
}

/// Poisson arrivals wait in a bounded queue for the limit, and in the service for a server, both first come, first
/// served. What ends is recorded; every `interval` the limit is found anew.
struct ServiceModel: ~Copyable {
    static let queueLimit = 1000

    private(set) var seconds = 0.0
    private(set) var limit: Int
    private(set) var arrived = 0
    private(set) var completed = 0
    private(set) var inFlight = 0

    /// What executes by the service's own clock.
    let execution = ExecutionIntegral(now: 0)

    private let stages: [ServiceStage]
    private let interval: Double
    private let samples: LatencySamples
    private var auto: AutoConcurrency
    private var random: SeededGenerator
    private var stage: ServiceStage
    private var nextArrival = 0.0
    private var nextUpdate = 0.0
    private var queued = 0
    private var ending = EndingHeap()
    /// Those that will time out.
    private var failing = EndingHeap()
    private var waiting: [Double] = []
    private var waitingHead = 0

    init(_ stages: [ServiceStage], start: Int, least: Int = 1, most: Int = 4000, interval: Double = 0.1, seed: UInt64) {
        self.stages = stages
        self.interval = interval
        stage = stages[0]
        samples = LatencySamples(loopCount: 2, limit: start)
        auto = AutoConcurrency(samples: samples, start: start, least: least, most: most)
        random = SeededGenerator(seed: seed)
        limit = auto.limit
    }

    /// Runs until this second.
    mutating func run(until end: Double) {
        while true {
            let next = min(nextArrival, nextUpdate, ending.first, failing.first)
            guard next <= end else { break }
            seconds = next
            if next == ending.first {
                finish(ending.removeFirst())
            } else if next == failing.first {
                finish(failing.removeFirst())
            } else if next == nextUpdate {
                update()
            } else {
                arrive()
            }
        }
        seconds = end
    }

    private mutating func update() {
        if let now = stages.last(where: { $0.from <= seconds }) { stage = now }
        limit = auto.update(now: Nanoseconds(seconds * 1e9))
        nextUpdate += interval
        admit()
    }

    private mutating func arrive() {
        let gap = stage.isEven ? 1 : -log(Double.random(in: 1e-12..<1, using: &random))
        nextArrival = seconds + gap / stage.offered
        arrived += 1
        if queued < Self.queueLimit { queued += 1 }
        admit()
    }

    private mutating func admit() {
        while queued > 0 && inFlight < limit {
            queued -= 1
            inFlight += 1
            execution.begin(now: Nanoseconds(seconds * 1e9))
            if stage.failingShare > 0, Double.random(in: 0..<1, using: &random) < stage.failingShare {
                failing.insert(Ending(at: seconds + 1, begun: seconds, isFailure: true))
            } else if ending.count < stage.servers {
                ending.insert(Ending(at: seconds + stage.seconds(&random), begun: seconds))
            } else if stage.refuses {
                ending.insert(Ending(at: seconds + 0.001, begun: seconds, isFailure: true))
            } else {
                waiting.append(seconds)
            }
        }
    }

    private mutating func finish(_ request: Ending) {
        if request.isFailure {
            samples.recordFailure(loop: completed & 1)
        } else {
            completed += 1
            let latency = Nanoseconds((seconds - request.begun) * 1e9)
            samples.record(loop: completed & 1, latency: latency, inFlight: inFlight)
        }
        inFlight -= 1
        execution.end(begun: Nanoseconds(request.begun * 1e9), now: Nanoseconds(seconds * 1e9))
        while ending.count < stage.servers && waitingHead < waiting.count {
            ending.insert(Ending(at: seconds + stage.seconds(&random), begun: waiting[waitingHead]))
            waitingHead += 1
        }
        if waitingHead > 4096 {
            waiting.removeFirst(waitingHead)
            waitingHead = 0
        }
        admit()
    }
}

/// A request that a server works on.
private struct Ending {
    let at: Double
    let begun: Double
    var isFailure = false
}

/// The requests in service, the one that ends next first.
private struct EndingHeap {
    private var heap: [Ending] = []

    var count: Int { heap.count }
    var first: Double { heap.first?.at ?? .infinity }

    mutating func insert(_ item: Ending) {
        heap.append(item)
        var child = heap.count - 1
        while child > 0, heap[child].at < heap[(child - 1) / 2].at {
            heap.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    mutating func removeFirst() -> Ending {
        heap.swapAt(0, heap.count - 1)
        let first = heap.removeLast()
        var parent = 0
        while 2 * parent + 1 < heap.count {
            var child = 2 * parent + 1
            if child + 1 < heap.count, heap[child + 1].at < heap[child].at { child += 1 }
            guard heap[child].at < heap[parent].at else { break }
            heap.swapAt(child, parent)
            parent = child
        }
        return first
    }
}
