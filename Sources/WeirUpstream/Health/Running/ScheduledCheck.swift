// SPDX-License-Identifier: Apache-2.0
// One check of a runner: when it runs, and what its results came to. On the loop's thread.

import WeirEventLoop

/// Waiting, in the runner's queue, or under way; then waiting again.
///
///     waiting ──timer──> queued ──place──> resolving ──addresses──> connected … ──result──> waiting
///        └──────────────────┴──────────────────┴───────────────────────┴──> ended
final class ScheduledCheck {
    private enum Phase {
        case waiting
        case queued
        /// The name is looked up; answers to a former look-up are told by the run's number.
        case resolving
        case running(CheckConnection)
        case ended
    }

    let definition: CheckDefinition
    private let runner: CheckRunner
    private let addresses: (@Sendable () -> [SocketAddress])?
    private let ran: @Sendable (CheckStatus) -> Void
    private let report: @Sendable (CheckUpdate) -> Void
    private var counter: CheckCounter
    private var lastStatus: CheckStatus?
    private var phase = Phase.waiting
    private var runNumber: UInt64 = 0
    private var deadline: Nanoseconds = .max
    /// Those that have not been tried in this run.
    private var untried: ArraySlice<SocketAddress> = []
    /// The next run while it waits, the run's end while a name is looked up.
    private lazy var timer = LoopTimer { [unowned self] _ in timerFired() }

    init(
        _ definition: CheckDefinition,
        runner: CheckRunner,
        addresses: (@Sendable () -> [SocketAddress])?,
        ran: @escaping @Sendable (CheckStatus) -> Void,
        report: @escaping @Sendable (CheckUpdate) -> Void
    ) {
        self.definition = definition
        self.runner = runner
        self.addresses = addresses
        self.ran = ran
        self.report = report
        counter = CheckCounter(definition.thresholds)
    }

    func start(after delay: Duration) {
        runner.loop.schedule(timer, at: runner.loop.now &+ delay.nanosecondsClamped)
    }

    func end() {
        runner.loop.cancel(timer)
        let former = phase
        phase = .ended
        switch former {
        case .waiting, .queued, .ended: return
        case .resolving: break
        case .running(let connection): connection.cancel(on: runner.loop)
        }
        runner.leave()
    }

    private func timerFired() {
        switch phase {
        case .waiting:
            phase = .queued
            runner.enter(self)
        case .resolving: finish(.critical, "\(what): the name was not looked up in time")
        case .queued, .running, .ended: break
        }
    }

    // MARK: A run

    func run() {
        let loop = runner.loop
        runNumber += 1
        deadline = loop.now &+ definition.effectiveTimeout.nanosecondsClamped
        if let addresses { return connect(to: addresses()) }
        switch definition.kind {
        case .http(let check): find(check.url.place)
        case .tcp(let place): find(place)
        case .ttl: preconditionFailure("a TTL check does not run")
        }
    }

    private func find(_ place: EndpointURL.Place) {
        switch place {
        case .address(let address):
            connect(to: [address])
        case .name(let name, let port):
            phase = .resolving
            runner.loop.schedule(timer, at: deadline)
            let answer = LookupAnswer(check: self, runNumber: runNumber)
            runner.resolve(name, port, runner.loop) { answer.found($0) }
        }
    }

    fileprivate func found(_ addresses: [SocketAddress], inRun number: UInt64) {
        guard case .resolving = phase, number == runNumber else { return }
        runner.loop.cancel(timer)
        connect(to: addresses)
    }

    private func connect(to addresses: [SocketAddress]) {
        guard !addresses.isEmpty else { return finish(.critical, "\(what): the name has no address") }
        untried = addresses[...]
        connectNext()
    }

    private func connectNext() {
        while let address = untried.popFirst() {
            let connection = CheckConnection(self, deadline: deadline, options: runner.options)
            do throws(SystemCallError) {
                try runner.loop.connect(to: address) { loop, channel, _ in
                    connection.open(channel, to: address, on: loop)
                }
                phase = .running(connection)
                return
            } catch {
                if untried.isEmpty { finish(.critical, "\(what): \(error)") }
            }
        }
    }

    /// An address could not be connected to: the next, if there is one.
    func connectFailed() {
        if untried.isEmpty { finish(.critical, "\(what): no connection") } else { connectNext() }
    }

    /// The loop ends: nobody is told, and nothing is scheduled.
    func loopStopped() {
        phase = .ended
    }

    /// A run has a result.
    func finish(_ status: CheckStatus, _ output: String) {
        phase = .waiting
        runner.loop.schedule(timer, at: runner.loop.now &+ definition.effectiveInterval.nanosecondsClamped)
        runner.leave()
        ran(status)
        guard let counted = counter.note(status) else { return }
        let isTransition = counted != lastStatus
        lastStatus = counted
        report(CheckUpdate(status: counted, output: output, isTransition: isTransition))
    }

    /// What is checked, for outputs.
    var what: String {
        switch definition.kind {
        case .http(let check): "HTTP \(check.method) \(check.url.text)"
        case .tcp(.name(let name, let port)): "TCP connect \(name):\(port)"
        case .tcp(.address(let address)): "TCP connect \(address)"
        case .ttl: "TTL"
        }
    }
}

/// Where a look-up's answer goes. `@unchecked Sendable`: it is called on the loop's thread.
private struct LookupAnswer: @unchecked Sendable {
    let check: ScheduledCheck
    let runNumber: UInt64

    func found(_ addresses: [SocketAddress]) { check.found(addresses, inRun: runNumber) }
}
