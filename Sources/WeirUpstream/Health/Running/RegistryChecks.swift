// SPDX-License-Identifier: Apache-2.0
// What gives a registry its time and its results: the loop that runs its checks. On the loop's thread but for what says
// otherwise.

import Synchronization
package import WeirEventLoop

/// Runs the checks that are registered, and lets TTLs and services run out.
///
/// `@unchecked Sendable`: confined to the loop's thread but for an atomic.
package final class RegistryChecks: @unchecked Sendable {
    private struct Running {
        let run: UInt64
        let id: CheckRunner.CheckID
    }

    private let registry: HealthRegistry
    private let loop: EventLoop
    private let runner: CheckRunner
    private let names: Names?
    private var running: [String: Running] = [:]
    private var observer: HealthRegistry.ObserverID?
    private lazy var timer = LoopTimer { [unowned self] _ in timerFired() }
    /// Whether a look at the registry is on its way. Set before it is sent, cleared before it is taken, so that a
    /// change behind the look brings another; sequentially consistent, once for a change of the registry.
    private let isLookSent = Atomic<Bool>(false)

    /// Of the loop's thread alone.
    private struct Names: @unchecked Sendable {
        let source: any NameSource

        @Sendable func resolve(
            _ name: String,
            _ port: UInt16,
            _ loop: EventLoop,
            _ found: @escaping @Sendable ([SocketAddress]) -> Void
        ) {
            source.lookup(name, port) { found($0) }
        }
    }

    /// - Parameter names: what looks names up on the loop, which is stopped with the checks; nil for the system's
    ///   resolver.
    package init(
        _ registry: HealthRegistry,
        on loop: EventLoop,
        names: (any NameSource)? = nil,
        options: CheckRunner.Options = CheckRunner.Options()
    ) {
        self.registry = registry
        self.loop = loop
        self.names = names.map(Names.init)
        var options = options
        if let names = self.names { options.resolve = names.resolve }
        runner = CheckRunner(on: loop, options: options)
    }

    /// Begins to follow the registry. Any thread.
    package func start() {
        loop.submit { [self] _ in
            observer = registry.observe { [weak self] in self?.sendLook() }
            look()
        }
    }

    /// Ends all checks. Any thread, before the loop is told to stop.
    package func stop() {
        loop.submit { [self] _ in
            if let observer { registry.stopObserving(observer) }
            observer = nil
            running = [:]
            runner.stop()
            names?.source.stop()
            loop.cancel(timer)
        }
    }

    private func sendLook() {
        guard !isLookSent.exchange(true, ordering: .sequentiallyConsistent) else { return }
        loop.submit { [self] _ in
            isLookSent.store(false, ordering: .sequentiallyConsistent)
            if observer != nil { look() }
        }
    }

    private func timerFired() {
        registry.advance(to: loop.now)
        // What is due is a change only where something comes of it.
        schedule()
    }

    /// Ends what is registered no more, begins what is new.
    private func look() {
        let wanted = registry.checks().value.filter { $0.definition?.isActive ?? false }
        let runs = Dictionary(uniqueKeysWithValues: wanted.map { ($0.id, $0.run) })
        for (checkID, present) in running where runs[checkID] != present.run {
            runner.remove(present.id)
            running[checkID] = nil
        }
        for check in wanted where running[check.id] == nil {
            guard let definition = check.definition else { continue }
            let (checkID, run) = (check.id, check.run)
            let id = runner.add(definition) { [registry, loop] update in
                registry.note(update.status, update.output, of: checkID, run: run, now: loop.now)
            }
            running[checkID] = Running(run: run, id: id)
        }
        schedule()
    }

    private func schedule() {
        if let due = registry.nextDue { loop.schedule(timer, at: due) } else { loop.cancel(timer) }
    }
}
