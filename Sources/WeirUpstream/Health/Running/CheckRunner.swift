// SPDX-License-Identifier: Apache-2.0
// Runs HTTP and TCP checks on a loop, each at its interval. Confined to the loop's thread, as all of this folder.

package import WeirEventLoop

/// What a check's result came to, once it was counted.
package struct CheckUpdate: Sendable, Equatable {
    package let status: CheckStatus
    /// For people: what was asked, and what came of it.
    package let output: String
    /// Whether the status is another than that of the update before; true for the first.
    package let isTransition: Bool
}

/// Many checks, no thread for any of them: a run is a connection of the loop, and waiting a timer of its wheel.
///
/// It serves the checks of a registry and those that endpoints declare alike. A check first runs at a random instant
/// within its interval, and then an interval after the end of each run, so it never runs twice at once.
///
/// `@unchecked Sendable`: everything happens on the loop's thread, and `stop` there before the loop ends.
package final class CheckRunner: @unchecked Sendable {
    package struct Options: Sendable {
        /// Runs that are under way at once; more wait for one of them to end.
        package var concurrencyMax = 64
        /// How much of a body is read; the rest is not waited for.
        package var bodyBytesMax = 256 << 10
        /// How long until a check's first run.
        package var firstDelay: @Sendable (CheckDefinition) -> Duration = { definition in
            var random = SystemRandomNumberGenerator()
            return definition.firstDelay(using: &random)
        }
        /// Names to addresses; nil for the system's resolver.
        package var resolve: Resolve?

        package init() {}
    }

    /// Looks a name up and calls back on the loop, with nothing where it is not found. Does not block.
    package typealias Resolve =
        @Sendable (
            _ name: String, _ port: UInt16, _ loop: EventLoop, _ found: @escaping @Sendable ([SocketAddress]) -> Void
        ) -> Void

    /// Names a check of this runner.
    package struct CheckID: Sendable, Hashable {
        fileprivate let number: UInt64
    }

    let loop: EventLoop
    let options: Options
    let resolve: Resolve
    private var checks: [CheckID: ScheduledCheck] = [:]
    private var lastNumber: UInt64 = 0
    private var runningCount = 0
    /// Those whose time has come while too many ran, in that order.
    private var queue: [ScheduledCheck] = []
    private var isStarting = false

    package init(on loop: EventLoop, options: Options = Options()) {
        self.loop = loop
        self.options = options
        resolve = options.resolve ?? NameLookups(on: loop).resolve
    }

    /// Runs a check from now on.
    ///
    /// - Parameters:
    ///   - definition: HTTP or TCP; what is told (TTL) does not run.
    ///   - addresses: where it goes at the time of each run, for an endpoint whose name others look up; nil for the
    ///     place that the definition names. They are tried in order until one connects.
    ///   - ran: called for each result, before it is counted, on the loop's thread.
    ///   - report: called for each result that counts (see `CheckCounter`), on the loop's thread; it may add and remove
    ///     checks.
    package func add(
        _ definition: CheckDefinition,
        at addresses: (@Sendable () -> [SocketAddress])? = nil,
        ran: @escaping @Sendable (CheckStatus) -> Void = { _ in },
        report: @escaping @Sendable (CheckUpdate) -> Void
    ) -> CheckID {
        lastNumber += 1
        let id = CheckID(number: lastNumber)
        guard definition.isActive else { return id }
        let check = ScheduledCheck(definition, runner: self, addresses: addresses, ran: ran, report: report)
        checks[id] = check
        check.start(after: options.firstDelay(definition))
        return id
    }

    /// Ends a check; `report` is not called any more.
    package func remove(_ id: CheckID) {
        guard let check = checks.removeValue(forKey: id) else { return }
        end(check)
    }

    /// Ends all checks.
    package func stop() {
        let all = checks.values
        checks = [:]
        for check in all { end(check) }
    }

    package var checkCount: Int { checks.count }

    private func end(_ check: ScheduledCheck) {
        queue.removeAll { $0 === check }
        check.end()
    }

    // MARK: Places

    /// Begins a run when there is a place for it.
    func enter(_ check: ScheduledCheck) {
        queue.append(check)
        startQueued()
    }

    /// A run has ended: the next has its place.
    func leave() {
        runningCount -= 1
        startQueued()
    }

    /// A run may end within its beginning; that starts no other here, or many that fail at once would fill the stack.
    private func startQueued() {
        guard !isStarting else { return }
        isStarting = true
        while runningCount < options.concurrencyMax, !queue.isEmpty {
            runningCount += 1
            queue.removeFirst().run()
        }
        isStarting = false
    }
}
