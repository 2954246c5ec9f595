// SPDX-License-Identifier: Apache-2.0
// The loops of a server: made at its start, and later where the pod gets more CPUs. None ends before the server does: one
// that is not wanted takes no more connections, empties, and waits (ServerLoop+Leaving.swift). So a loop's index, its
// counters, and its place in everything that is kept for each loop hold for good.

import Synchronization
import WeirEventLoop
import WeirHost
import WeirMetrics

extension HTTPServer {
    /// How loops are made.
    struct LoopPlan: Sendable {
        let name: String
        /// How many there may ever be: what is kept for each loop has so many places.
        let loopsMax: Int
        let isPinned: Bool
        let buffers: BufferSizes
        /// What the loops hold together, however many there are.
        let budget: BufferBudget
    }

    /// The loops that there are, by their index.
    struct Roster: Sendable {
        var members: [ServerLoop] = []
        var threads: [LoopThread] = []
        var places: [ListeningPlace] = []
        /// From the start to the stop.
        var isRunning = false
    }

    /// Boxes a thread so that several fit into an array.
    final class LoopThread: Sendable {
        private let thread: Mutex<SystemThread?>

        init(_ thread: consuming SystemThread) {
            self.thread = Mutex(consume thread)
        }

        func join() {
            let thread = thread.withLock { $0.take() }
            if let thread { thread.join() }
        }
    }

    // MARK: Who there is

    var members: [ServerLoop] { roster.withLock { $0.members } }

    /// All loops, also those that take no more connections.
    var loops: [EventLoop] { members.map(\.loop) }

    /// What they count.
    var shards: [MetricsShard] { members.map(\.metrics) }

    /// How many loops take connections: the first of them.
    var takingCount: Int { policy.takingCount }

    // MARK: Making them

    /// The loops of the start; the first one binds the addresses.
    func makeLoops(_ plan: Plan) throws(SystemCallError) {
        try roster.withLock { roster throws(SystemCallError) in
            let first = try make(after: roster.members, plan.clock, plan.poller)
            startStore(of: first)
            roster.members.append(first)
            policy.add(first.loop)
            if plan.inherited.isEmpty {
                for address in plan.listen {
                    let place = try ListeningPlace(
                        address,
                        plan.settings,
                        socketBufferBytes: plan.buffers.sockets.bytesLeast
                    )
                    try listen(on: place, first, &roster)
                }
            } else {
                for descriptor in plan.inherited {
                    let place = try ListeningPlace(
                        inherited: descriptor,
                        socketBufferBytes: plan.buffers.sockets.bytesLeast
                    )
                    try listen(on: place, first, &roster)
                }
            }
            while roster.members.count < plan.loopCount {
                let next = try make(after: roster.members, plan.clock, nil)
                startStore(of: next)
                try listen(next, at: roster.places)
                roster.members.append(next)
                policy.add(next.loop)
            }
            policy.setTaking(roster.members.count)
            // None of them runs yet.
            let retained = plan.buffers.retainedBytesMax(ofLoops: roster.members.count)
            for member in roster.members { member.loop.setRetainedBytesMax(retained) }
        }
    }

    private func listen(
        on place: ListeningPlace,
        _ first: ServerLoop,
        _ roster: inout Roster
    ) throws(SystemCallError) {
        try first.loop.add(place.listener(of: first))
        roster.places.append(place)
    }

    private func listen(_ member: ServerLoop, at places: [ListeningPlace]) throws(SystemCallError) {
        // All are bound and watched before any listens: what fails then resets no connection of another.
        var listeners: [Listener] = []
        for place in places {
            let listener = try place.listener(of: member)
            try member.loop.add(listener)
            listeners.append(listener)
        }
        for (listener, place) in zip(listeners, places) { try listener.listen(options: place.options) }
    }

    /// A loop that is nobody's yet.
    private func make(
        after members: [ServerLoop],
        _ clock: LoopClock,
        _ poller: Poller?
    ) throws(SystemCallError) -> ServerLoop {
        let index = members.count
        let pinned = members.compactMap(\.loop.pinnedTo)
        let loop = try EventLoop(
            index: index,
            name: "\(loopPlan.name)-\(index)",
            metrics: MetricsShard(),
            clock: clock,
            poller: poller,
            pinnedTo: loopPlan.isPinned ? AllowedCPU.number(index, unlessIn: pinned) : nil
        )
        loop.acceptPolicy = policy
        loop.setBudget(loopPlan.budget)
        loop.handshakesPerTurn = shared.configuration.handshakesPerTurn
        return ServerLoop(loop: loop, shared: shared)
    }

    /// Connects a loop to the store, once it runs. A message that keeps the loop, so one that never runs must not have it.
    private func startStore(of member: ServerLoop) {
        if let store = member.store { member.loop.submit { _ in store.start() } }
    }

    // MARK: Changing their number

    /// Has the first so many loops take connections, and makes those that are not there; the others empty. Once the drain
    /// has begun, nothing changes.
    ///
    /// - Throws: where the kernel gives no descriptor, port or thread for another loop; those that there are take
    ///   connections then.
    func setTaking(_ wanted: Int) throws(SystemCallError) {
        try roster.withLock { roster throws(SystemCallError) in
            guard roster.isRunning, !shared.isDraining else { return }
            let wanted = min(max(wanted, 1), loopPlan.loopsMax)
            let former = policy.takingCount
            defer { changeTaking(from: former, to: min(wanted, roster.members.count), roster.members) }
            while roster.members.count < wanted { try add(to: &roster) }
        }
    }

    /// Adds a loop that runs.
    ///
    /// Its thread is there before it listens: from then on the kernel gives it connections, and closing its listeners for
    /// want of a thread would reset them.
    private func add(to roster: inout Roster) throws(SystemCallError) {
        let member = try make(after: roster.members, .monotonic, nil)
        let listens = Monitor(false)
        let thread: SystemThread
        do throws(SystemCallError) {
            thread = try SystemThread.start {
                _ = listens.wait(timeout: nil) { $0 ? true : nil }
                member.loop.run()
            }
        } catch {
            member.tearDown()
            throw error
        }
        startStore(of: member)
        defer {
            listens.change { listens in
                listens = true
                return true
            }
        }
        do throws(SystemCallError) {
            try listen(member, at: roster.places)
        } catch {
            // Nobody is in its queues, unless the last step of all has failed: what has come then goes to the others.
            member.loop.acceptPending()
            member.loop.stop()
            throw error
        }
        policy.add(member.loop)
        policy.countOtherDescriptors(more: Self.descriptorsPerLoop + roster.places.count)
        roster.members.append(member)
        roster.threads.append(LoopThread(thread))
    }

    private func changeTaking(from former: Int, to taking: Int, _ members: [ServerLoop]) {
        // First those that come back: what is handed to them then finds them back.
        for index in former..<max(taking, former) {
            let member = members[index]
            member.loop.submit { _ in member.endLeaving() }
        }
        policy.setTaking(taking)
        let retained = loopPlan.buffers.retainedBytesMax(ofLoops: taking)
        for member in members[..<taking] { member.loop.submit { $0.setRetainedBytesMax(retained) } }
        for index in taking..<max(taking, former) {
            let member = members[index]
            member.loop.submit { _ in member.beginLeaving() }
        }
    }

    /// The poller and the wake-up.
    private static let descriptorsPerLoop = 2
}
