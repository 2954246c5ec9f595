// SPDX-License-Identifier: Apache-2.0
// What the loops of one server share for accepting: who there is, who takes connections, and how many there may be.
// Asked by the loops' threads; changed by one thread at a time.

import CWeirSystem
import Synchronization

/// The loops of a server, to which others may be added while they run. None ever goes, but it may take no more
/// connections: the first so many do.
///
/// `@unchecked Sendable`: `places` is written at the end alone, before `count` says so.
package final class AcceptPolicy: @unchecked Sendable {
    /// Unowned: the loops hold the policy. Whoever made both keeps them.
    private struct Member {
        unowned let loop: EventLoop
    }

    // Invariant: the first `count` places are initialised, and do not change before `deinit`.
    private let places: UnsafeMutablePointer<Member>
    private let loopsMax: Int
    /// Released when a place is filled, acquired by whoever looks at it.
    private let count = Atomic<Int>(0)
    /// How many take connections. As `count`, which it never exceeds.
    private let taking = Atomic<Int>(0)
    /// Open connections over all loops at which accepting pauses.
    private let connectionsMax: Int
    /// Connections that were accepted and have not ended, and those that loops are about to accept.
    private let placesTaken = Atomic<Int>(0)
    /// Descriptors in use at which idle connections are closed. At most `descriptorsMax`: whoever waits to be accepted
    /// must not wait for idle ones.
    let descriptorsHigh: Int
    /// Where so many are in use accepting pauses and no connection is begun, so that files, the log and the admin port
    /// still get descriptors.
    let descriptorsMax: Int
    /// What the kernel holds for each connection.
    package let socketBuffers: SocketBuffers
    /// Descriptors that are no connections of these loops; relaxed.
    private let otherDescriptorCount = Atomic<Int>(0)

    /// - Parameters:
    ///   - loops: those that there are; all take connections.
    ///   - loopsMax: how many there may ever be; nil for no more than these.
    package init(
        loops: [EventLoop],
        loopsMax: Int? = nil,
        connectionsMax: Int,
        descriptorsHigh: Int,
        descriptorsMax: Int,
        socketBuffers: SocketBuffers = .ofTheKernel
    ) {
        self.loopsMax = max(loopsMax ?? loops.count, loops.count)
        places = .allocate(capacity: self.loopsMax)
        self.connectionsMax = connectionsMax
        self.descriptorsHigh = min(descriptorsHigh, descriptorsMax)
        self.descriptorsMax = descriptorsMax
        self.socketBuffers = socketBuffers
        for loop in loops { add(loop) }
        setTaking(loops.count)
    }

    deinit {
        places.deinitialize(count: count.load(ordering: .relaxed))
        places.deallocate()
    }

    // MARK: Who there is

    /// Adds a loop, which takes no connection before `setTaking` says so. One thread at a time.
    package func add(_ loop: EventLoop) {
        let index = count.load(ordering: .relaxed)
        precondition(index < loopsMax, "a loop beyond the most")
        precondition(loop.index == index, "a loop out of its place")
        (places + index).initialize(to: Member(loop: loop))
        count.store(index + 1, ordering: .releasing)
    }

    /// From now on the first so many loops take connections, and the others hand on what they accept. One thread at a
    /// time.
    package func setTaking(_ number: Int) {
        precondition(number <= count.load(ordering: .relaxed), "a loop that is not there takes connections")
        taking.store(number, ordering: .releasing)
    }

    /// How many loops take connections.
    package var takingCount: Int { taking.load(ordering: .acquiring) }

    private var first: EventLoop? { count.load(ordering: .acquiring) > 0 ? places[0].loop : nil }

    private func forEach(_ body: (EventLoop) -> Void) {
        // In bounds: those that are filled.
        for index in 0..<count.load(ordering: .acquiring) { body(places[index].loop) }
    }

    func forEachOther(than loop: EventLoop, _ body: (EventLoop) -> Void) {
        forEach { if $0 !== loop { body($0) } }
    }

    /// The loop that should have the next connection: `accepting` unless another has clearly fewer, because handing
    /// over costs a wake-up, or it takes no more.
    func leastLoaded(_ accepting: EventLoop) -> EventLoop {
        let taking = taking.load(ordering: .acquiring)
        var best = accepting
        var fewest = Int.max
        if accepting.index < taking {
            fewest = accepting.openChannelCount
            fewest -= 1 + fewest / 16
        }
        // In bounds: as many are filled.
        for index in 0..<taking where places[index].loop.openChannelCount < fewest {
            best = places[index].loop
            fewest = best.openChannelCount
        }
        return best
    }

    // MARK: How many there may be

    /// Takes a place for a connection that is about to be accepted. Loops that ask at once do not exceed the most; one of
    /// them may find none where another has taken the last for a connection that does not come.
    ///
    /// - Returns: false where all are taken.
    package func takePlace() -> Bool {
        var taken = placesTaken.load(ordering: .relaxed)
        while taken < connectionsMax {
            let (exchanged, present) = placesTaken.weakCompareExchange(
                expected: taken,
                desired: taken + 1,
                successOrdering: .acquiring,
                failureOrdering: .relaxed
            )
            if exchanged { return true }
            taken = present
        }
        return false
    }

    /// Counts a connection that is there already, whatever the most.
    func addPlace() { placesTaken.wrappingAdd(1, ordering: .relaxed) }

    /// Gives a place back. Who finds it sees what was stored before.
    package func givePlace() {
        let left = placesTaken.wrappingSubtract(1, ordering: .releasing).newValue
        assert(left >= 0, "a place was given back twice")
    }

    /// Counts the descriptors that are in use before the first connection: the lowest free number.
    package func countOtherDescriptors() {
        guard let first else { return }
        otherDescriptorCount.store(Int(weir_lowest_free_descriptor(first.inbox.descriptor)), ordering: .relaxed)
    }

    /// Counts those of a loop that has come since.
    package func countOtherDescriptors(more number: Int) {
        otherDescriptorCount.wrappingAdd(number, ordering: .relaxed)
    }

    /// How many idle connections a loop should close so that new ones have room; 0 when nothing is short. Where it is
    /// descriptors that are short, those of connections that we made are as good as clients'.
    func shedCount() -> (count: Int, clientsOnly: Bool) {
        let spare = min(32, max(1, min(connectionsMax, descriptorsHigh) / 16))
        let clients = openCount - connectionsMax
        let descriptors = descriptorCount - descriptorsHigh
        let beyond = max(clients, descriptors)
        return (beyond >= 0 ? beyond + spare : 0, descriptors < 0)
    }

    /// Descriptors that are in use, near enough: connections and what was open at the start, or the lowest number that
    /// is free where that is more, because files and what handlers open count too.
    var descriptorCount: Int {
        guard let first else { return 0 }
        return max(
            otherDescriptorCount.load(ordering: .relaxed) + connectionCount,
            Int(weir_lowest_free_descriptor(first.inbox.descriptor))
        )
    }

    /// Connections of all loops: of clients, and those that we made.
    package var connectionCount: Int {
        var sum = 0
        forEach { sum += $0.openChannelCount + $0.outboundChannelCount }
        return sum
    }

    private var openCount: Int {
        var sum = 0
        forEach { sum += $0.openChannelCount }
        return sum
    }
}
