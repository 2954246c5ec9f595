// SPDX-License-Identifier: Apache-2.0
// A service with a capacity, to be overloaded: so many places, so long in each, and a line without end before them. Any
// thread.

import FoundationEssentials
import Synchronization

/// Serves 400 requests a second, and lets all others wait.
///
/// It stands for a service with a thread for each of its places that knows neither deadlines nor whether anybody still
/// waits: who has joined the line is served, however late. What that does under overload is what a gateway is to
/// prevent.
final class Capacity: Sendable {
    static let places = 20
    static let serviceTime: Duration = .milliseconds(50)

    /// What the drill asks for when its load is over.
    struct Counts: Codable {
        var started = 0
        /// Started when the client's deadline had passed.
        var startedLate = 0
        var waiting = 0
        var waitingPeak = 0
    }

    private struct State {
        var free = places
        var line: [CheckedContinuation<Void, Never>] = []
        /// How many of `line` have gone to a place.
        var first = 0
        var counts = Counts()
    }

    private let state = Mutex(State())

    var counts: Counts { state.withLock { $0.counts } }

    /// Waits for a place, keeps it for the service time, and gives it to the next in line.
    ///
    /// - Parameter deadline: Until when the client wants an answer, in Unix time; nil if it does not say.
    func serve(deadline: Duration?) async {
        await enter()
        state.withLock { state in
            state.counts.started += 1
            if let deadline, Self.now > deadline { state.counts.startedLate += 1 }
        }
        // Without tolerance: by default a timer may be a tenth late, which would be a tenth of the capacity.
        try? await Task.sleep(for: Self.serviceTime, tolerance: .zero)
        leave()
    }

    private static var now: Duration { .seconds(Date.now.timeIntervalSince1970) }

    private func enter() async {
        await withCheckedContinuation { continuation in
            let goesIn = state.withLock { state in
                if state.free > 0 {
                    state.free -= 1
                    return true
                }
                if state.first > state.line.count / 2 {
                    state.line.removeFirst(state.first)
                    state.first = 0
                }
                state.line.append(continuation)
                state.counts.waiting += 1
                state.counts.waitingPeak = max(state.counts.waitingPeak, state.counts.waiting)
                return false
            }
            if goesIn { continuation.resume() }
        }
    }

    private func leave() {
        let next: CheckedContinuation<Void, Never>? = state.withLock { state in
            guard state.first < state.line.count else {
                state.free += 1
                return nil
            }
            state.counts.waiting -= 1
            state.first += 1
            return state.line[state.first - 1]
        }
        next?.resume()
    }
}
