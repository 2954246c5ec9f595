// SPDX-License-Identifier: Apache-2.0

import CWeirSystem
import Glibc
import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct AcceptTests {
    @Test func `a connection is accepted with its peer's address`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder.echo()
        let address = try listen(on: test, recorder.opener)
        let peer = try Peer.connected(to: address)
        peer.send("hi")
        var answer: [UInt8] = []
        eventually("it is answered") {
            test.turn()
            answer += peer.receive().bytes
            return answer.count == 2
        }
        #expect(recorder.address?.host == "127.0.0.1")
        #expect(recorder.address?.port != address.port)
        #expect(test.metrics.value(.connectionsAccepted) == 1)
    }

    @Test func `a TCP reset fails the channel once`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder.echo()
        let peer = try Peer.connected(to: try listen(on: test, recorder.opener))
        eventually("it is accepted") {
            test.turn()
            return recorder.address != nil
        }
        peer.closeWithReset()
        eventually("it is closed") {
            test.turn()
            return !recorder.closeReasons.isEmpty
        }
        test.turn(3)
        #expect(recorder.closeReasons == [.failed])
    }

    @Test func `a TCP connection that both sides ended in good order did not fail`() throws {
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        recorder.onReceived = { loop, channel, bytes in
            bytes.withUnsafeBytes { loop.send(channel, $0) }
            loop.finish(channel, writeTimeout: 1_000_000_000)
            return bytes.count
        }
        let peer = try Peer.connected(to: try listen(on: test, recorder.opener))
        peer.send("bye")
        var answer: (bytes: [UInt8], isEnd: Bool) = ([], false)
        eventually("it is answered and ended") {
            test.turn()
            let piece = peer.receive()
            answer.bytes += piece.bytes
            answer.isEnd = answer.isEnd || piece.isEnd
            return answer.isEnd
        }
        #expect(answer.bytes == Array("bye".utf8))
        peer.close()
        eventually("it is closed") {
            test.turn()
            return !recorder.closeReasons.isEmpty
        }
        #expect(recorder.closeReasons == [.requested])
    }

    @Test func `connections that come one by one are shared by two loops`() throws {
        let pair = try LoopPair(connectionsMax: 100)
        let address = try listen(on: pair.loops[0], Recorder.opener { Recorder() })
        try listen(on: pair.loops[1], Recorder.opener { Recorder() })
        var peers: [Peer] = []
        for count in 1...20 {
            peers.append(try Peer.connected(to: address))
            eventually("it is accepted") {
                pair.turn()
                return pair.openCounts.reduce(0, +) == count
            }
        }
        #expect(abs(pair.openCounts[0] - pair.openCounts[1]) <= 2, "\(pair.openCounts)")
        #expect(pair.loops[0].metrics.value(.connectionsHandedOver) > 0)
        #expect(pair.loops[0].metrics.value(.connectionsAccepted) == 20)
    }

    @Test func `connections that come all at once are shared by two loops`() throws {
        let pair = try LoopPair(connectionsMax: 100)
        let address = try listen(on: pair.loops[0], Recorder.opener { Recorder() })
        try listen(on: pair.loops[1], Recorder.opener { Recorder() })
        let peers = try (0..<40).map { _ in try Peer.connected(to: address) }
        eventually("they are accepted") {
            pair.turn()
            return pair.openCounts.reduce(0, +) == 40
        }
        #expect(abs(pair.openCounts[0] - pair.openCounts[1]) <= 8, "\(pair.openCounts)")
        withExtendedLifetime(peers) {}
    }

    @Test func `a loop that takes no more hands on what it accepts, until it takes connections again`() throws {
        let pair = try LoopPair(connectionsMax: 100)
        // The second alone listens: whatever comes is accepted there.
        let address = try listen(on: pair.loops[1], Recorder.opener { Recorder() })
        try listen(on: pair.loops[0], Recorder.opener { Recorder() })
        func connect(_ count: Int) throws -> [Peer] {
            let before = pair.openCounts.reduce(0, +)
            let peers = try (0..<count).map { _ in try Peer.connected(to: address) }
            eventually("they are accepted") {
                pair.turn()
                return pair.openCounts.reduce(0, +) == before + count
            }
            return peers
        }
        pair.policy.setTaking(1)
        var peers = try connect(10)
        #expect(pair.openCounts == [10, 0])
        #expect(pair.loops[1].metrics.value(.connectionsHandedOver) == 10)
        pair.policy.setTaking(2)
        peers += try connect(10)
        #expect(pair.openCounts[1] >= 9, "\(pair.openCounts)")
    }

    @Test func `a connection that is handed to a loop that has ended is closed with it`() throws {
        let peer: Peer
        do {
            let pair = try LoopPair(connectionsMax: 100)
            let address = try listen(on: pair.loops[1], Recorder.opener { Recorder() })
            pair.policy.setTaking(1)
            pair.loops[0].end()
            peer = try Peer.connected(to: address)
            pair.loops[1].turn(until: "it is handed on") {
                pair.loops[1].metrics.value(.connectionsHandedOver) == 1
            }
            #expect(!peer.receive().isEnd)
        }
        eventually("its end has come") { peer.receive().isEnd }
    }

    @Test func `a loop that is added gets connections when it takes them`() throws {
        let loops = [try HandTurnedLoop(index: 0), try HandTurnedLoop(index: 1)]
        let policy = AcceptPolicy(
            loops: [loops[0].loop],
            loopsMax: 2,
            connectionsMax: 100,
            descriptorsHigh: .max,
            descriptorsMax: .max
        )
        for test in loops { test.loop.acceptPolicy = policy }
        let address = try listen(on: loops[0], Recorder.opener { Recorder() })
        try listen(on: loops[1], Recorder.opener { Recorder() })
        var peers: [Peer] = []
        func connect(_ count: Int) throws {
            for _ in 0..<count {
                peers.append(try Peer.connected(to: address))
                eventually("it is accepted") {
                    for test in loops { test.turn() }
                    return loops.reduce(0) { $0 + $1.loop.openChannelCount } == peers.count
                }
            }
        }
        policy.add(loops[1].loop)
        try connect(4)
        #expect(loops[1].loop.openChannelCount == 0 && policy.takingCount == 1)
        policy.setTaking(2)
        try connect(4)
        #expect(loops[1].loop.openChannelCount >= 3)
    }

    @Test func `at the most connections accepting pauses, and goes on when one is closed`() throws {
        let test = try HandTurnedLoop()
        test.loop.acceptPolicy = AcceptPolicy(
            loops: [test.loop],
            connectionsMax: 2,
            descriptorsHigh: .max,
            descriptorsMax: .max
        )
        let address = try listen(on: test, Recorder.opener { .echo() })
        let peers = try (0..<4).map { _ in try Peer.connected(to: address) }
        eventually("two are accepted") {
            test.turn()
            return test.loop.openChannelCount == 2
        }
        test.turn(3)
        #expect(test.loop.openChannelCount == 2)
        #expect(test.metrics.value(.acceptPauses) >= 1)
        for peer in peers { peer.send("x") }
        eventually("the two are served meanwhile") {
            test.turn()
            return test.metrics.value(.sentBytes) == 2
        }
        for (index, peer) in peers[..<2].enumerated() {
            peer.close()
            eventually("another is accepted") {
                test.turn()
                return test.metrics.value(.connectionsAccepted) == UInt64(3 + index)
            }
        }
        #expect(test.loop.openChannelCount == 2)
        eventually("the others are served") {
            test.turn()
            return test.metrics.value(.sentBytes) == 4
        }
    }

    @Test func `threads that ask for places at once never hold more than there are`() throws {
        let policy = AcceptPolicy(loops: [], connectionsMax: 1, descriptorsHigh: .max, descriptorsMax: .max)
        let tally = Tally()
        @Sendable func work() {
            for turn in 0..<50_000 where policy.takePlace() {
                tally.hold(yields: turn.isMultiple(of: 16))
                policy.givePlace()
            }
        }
        let second = try SystemThread.start(work)
        let third = try SystemThread.start(work)
        let fourth = try SystemThread.start(work)
        work()
        second.join()
        third.join()
        fourth.join()
        #expect(tally.most == 1)
        // All have been given back.
        #expect([policy.takePlace(), policy.takePlace()] == [true, false])
    }

    @Test func `paused accepting is tried again after a tenth of a second`() throws {
        let pair = try LoopPair(connectionsMax: 1)
        let address = try listen(on: pair.loops[0], Recorder.opener { Recorder() })
        try listen(on: pair.loops[1], Recorder.opener { Recorder() })
        // The one connection that may be is another loop's, whose closing the first does not notice.
        let held = Recorder()
        let heldPeer = try pair.loops[1].connect(held)
        let peer = try Peer.connected(to: address)
        eventually("accepting pauses") {
            pair.turn()
            return pair.loops[0].metrics.value(.acceptPauses) == 1
        }
        held.channel.close(on: pair.loops[1])
        pair.loops[0].advance(by: .milliseconds(99))
        #expect(pair.loops[0].loop.openChannelCount == 0)
        pair.loops[0].advance(by: .milliseconds(1))
        eventually("it is accepted") {
            pair.turn()
            return pair.openCounts.reduce(0, +) == 1
        }
        withExtendedLifetime((peer, heldPeer)) {}
    }

    @Test func `at the most connections a new one takes the place of the longest idle, never of a busy one`() throws {
        let test = try HandTurnedLoop()
        test.loop.acceptPolicy = AcceptPolicy(
            loops: [test.loop],
            connectionsMax: 6,
            descriptorsHigh: .max,
            descriptorsMax: .max
        )
        let address = try listen(on: test, Recorder.opener { Recorder() })
        var recorders: [Recorder] = []
        var peers: [Peer] = []
        for idleSince: Nanoseconds in [500, 100, .max, 300, 200, 400] {
            let recorder = Recorder()
            peers.append(try test.connect(recorder))
            recorder.channel.setIdle(since: idleSince)
            recorders.append(recorder)
        }
        var closed: [Int] = []
        for count: UInt64 in 1...5 {
            peers.append(try Peer.connected(to: address))
            eventually("it is accepted") {
                test.turn()
                return test.metrics.value(.connectionsAccepted) == count
            }
            closed += recorders.indices.filter { !recorders[$0].closeReasons.isEmpty && !closed.contains($0) }
            #expect(closed.count == count)
        }
        #expect(closed == [1, 4, 3, 5, 0])
        #expect(recorders.flatMap(\.closeReasons) == .init(repeating: .shed, count: 5))
        #expect(test.metrics.value(.connectionsShed) == 5)
        peers.append(try Peer.connected(to: address))
        test.turn(5)
        #expect(test.metrics.value(.connectionsAccepted) == 5)
        #expect(recorders[2].closeReasons.isEmpty)
        withExtendedLifetime(peers) {}
    }

    @Test(arguments: [true, false])
    func `an idle connection that we made gives way to descriptors, not to clients`(isDescriptors: Bool) throws {
        let test = try HandTurnedLoop()
        // Of the three that are open, one of ours is the longest idle.
        test.loop.acceptPolicy = AcceptPolicy(
            loops: [test.loop],
            connectionsMax: isDescriptors ? 100 : 2,
            descriptorsHigh: isDescriptors ? 3 : .max,
            descriptorsMax: .max
        )
        let address = try listen(on: test, Recorder.opener { Recorder() })
        let backlog = try Backlog()
        let outbound = Recorder()
        try test.loop.connect(to: backlog.address, open: outbound.opener)
        let ours = try backlog.accept()
        let clients = [Recorder(), Recorder()]
        let peers = try clients.map { try test.connect($0) }
        test.turn()
        outbound.channel.setIdle(since: 1)
        clients[0].channel.setIdle(since: 2)
        #expect(test.loop.openChannelCount == 2)
        #expect(test.loop.outboundChannelCount == 1)
        let waiting = try Peer.connected(to: address)
        eventually("one is accepted") {
            test.turn()
            return test.metrics.value(.connectionsAccepted) == 1
        }
        test.turn(2)
        #expect(outbound.closeReasons == (isDescriptors ? [.shed] : []))
        #expect(clients[0].closeReasons == [.shed])
        #expect(clients[1].closeReasons.isEmpty)
        withExtendedLifetime((ours, peers, waiting)) {}
    }

    @Test func `a connection is not idle that has just been opened, or has something to read`() throws {
        let test = try HandTurnedLoop()
        test.loop.acceptPolicy = AcceptPolicy(
            loops: [test.loop],
            connectionsMax: 3,
            descriptorsHigh: .max,
            descriptorsMax: .max
        )
        let address = try listen(on: test, Recorder.opener { Recorder() })
        let fresh = Recorder()
        let asking = Recorder()
        let old = Recorder()
        let peers = try [fresh, asking, old].map { try test.connect($0) }
        test.advance(by: .seconds(10))
        fresh.channel.setIdle(since: test.clock.now - 99_999_999, isNew: true)
        asking.channel.setIdle(since: 1)
        asking.channel.pause()
        old.channel.setIdle(since: test.clock.now - 100_000_000, isNew: true)
        peers[1].send("a request")
        let waiting = try (0..<2).map { _ in try Peer.connected(to: address) }
        eventually("one is accepted") {
            test.turn()
            return test.metrics.value(.connectionsAccepted) == 1
        }
        test.turn(3)
        #expect(old.closeReasons == [.shed])
        #expect(fresh.closeReasons.isEmpty)
        #expect(asking.closeReasons.isEmpty)
        withExtendedLifetime((peers, waiting)) {}
    }

    @Test func `where descriptors run short the idle connections of every loop are closed`() throws {
        let pair = try LoopPair(connectionsMax: 100, descriptorsHigh: 0)
        let address = try listen(on: pair.loops[0], Recorder.opener { Recorder() })
        let idle = [Recorder(), Recorder()]
        let busy = [Recorder(), Recorder()]
        var peers: [Peer] = []
        for index in 0..<2 {
            peers.append(try pair.loops[index].connect(idle[index]))
            peers.append(try pair.loops[index].connect(busy[index]))
            idle[index].channel.setIdle(since: 1)
        }
        peers.append(try Peer.connected(to: address))
        eventually("the idle ones are closed") {
            pair.turn()
            return idle.allSatisfy { !$0.closeReasons.isEmpty }
        }
        for recorder in idle { #expect(recorder.closeReasons == [.shed]) }
        for recorder in busy { #expect(recorder.closeReasons.isEmpty) }
        withExtendedLifetime(peers) {}
    }

    @Test func `where the last descriptors are used accepting pauses, and what is open is served`() throws {
        let pair = try LoopPair(connectionsMax: 100, descriptorsMax: 0)
        let address = try listen(on: pair.loops[0], Recorder.opener { .echo() })
        try listen(on: pair.loops[1], Recorder.opener { .echo() })
        let peers = try (0..<3).map { _ in try Peer.connected(to: address) }
        for peer in peers { peer.send("x") }
        eventually("one is accepted") {
            pair.turn()
            return pair.loops[0].metrics.value(.connectionsAccepted) == 1
        }
        for _ in 0..<5 {
            for test in pair.loops { test.advance(by: .milliseconds(100)) }
        }
        #expect(pair.loops[0].metrics.value(.connectionsAccepted) == 1)
        #expect(pair.loops[0].metrics.value(.acceptPauses) == 1)
        #expect(peers.count { $0.receive().bytes.count == 1 } == 1)
    }

    // In a process of its own: other tests open descriptors, too.
    @Test func `descriptors that are kept back are not used up one by one as connections go`() async {
        await #expect(processExitsWith: .success) {
            let test = try HandTurnedLoop()
            let recorders = Recorders()
            let address = try AcceptTests().listen(on: test, Recorder.opener { recorders.add() })
            let peers = try (0..<20).map { _ in try Peer.connected(to: address) }
            let policy = AcceptPolicy(
                loops: [test.loop],
                connectionsMax: .max,
                descriptorsHigh: .max,
                descriptorsMax: Int(weir_lowest_free_descriptor(0)) + 4
            )
            policy.countOtherDescriptors()
            test.loop.acceptPolicy = policy
            for _ in 0..<8 {
                for _ in 0..<3 { test.advance(by: .milliseconds(101)) }
                // One more where the testing library had a file open at the start.
                #expect(1...5 ~= test.loop.openChannelCount)
                let oldest = try #require(recorders.all.first { $0.closeReasons.isEmpty })
                test.loop.close(oldest.channel)
            }
            #expect(recorders.all.count > 8, "others came")
            withExtendedLifetime(peers) {}
        }
    }

    @Test func `loops that shared a policy are let go when they have ended`() throws {
        weak var gone: EventLoop?
        do {
            let pair = try LoopPair(connectionsMax: 1)
            gone = pair.loops[0].loop
            for test in pair.loops { test.end() }
        }
        #expect(gone == nil)
    }

    @Test func `listeners that share a port take every connection between them`() throws {
        let first = try HandTurnedLoop()
        let second = try HandTurnedLoop()
        let address = try listen(on: first, Recorder.opener { Recorder() })
        try listen(on: second, at: address, Recorder.opener { Recorder() })
        let peers = try (0..<40).map { _ in try Peer.connected(to: address) }
        eventually("all are accepted") {
            first.turn()
            second.turn()
            return first.loop.openChannelCount + second.loop.openChannelCount == 40
        }
        withExtendedLifetime(peers) {}
    }

    @Test func `what waits in the queues is accepted before the listeners are closed`() throws {
        let test = try HandTurnedLoop()
        let address = try listen(on: test, Recorder.opener { .echo() })
        let peers = try (0..<100).map { _ in try Peer.connected(to: address) }
        test.loop.acceptPending()
        test.loop.closeListeners()
        test.turn()
        #expect(test.loop.openChannelCount == 100)
        #expect(peers.allSatisfy { !$0.receive().isEnd })
        #expect(throws: SystemCallError.self) { _ = try Peer.connected(to: address) }
    }

    @Test func `a Unix socket that two loops share gives each connection to one of them`() throws {
        let folder = try ScratchFolder()
        let address = SocketAddress.unix(path: "\(folder.path)/s")
        let descriptor = try Listener.bind(address, options: ListenerOptions(), reusesPort: false).descriptor
        let file = try #require(SocketFile(at: "\(folder.path)/s"))
        let threads = try [descriptor, Listener.duplicate(descriptor, of: address)].enumerated().map {
            index,
            descriptor in
            try LoopThread(index: index) { loop in
                try loop.add(
                    Listener(
                        descriptor: descriptor,
                        address: address,
                        isShared: true,
                        socketFile: index == 0 ? file : nil,
                        open: Recorder.opener { .echo() }
                    )
                )
            }
        }
        let peers = try (0..<50).map { _ in try Peer.connected(to: address) }
        for peer in peers { peer.send("x") }
        var answered = 0
        eventually("all are answered") {
            answered += peers.count { !$0.receive().bytes.isEmpty }
            return answered == 50
        }
        let accepted = threads.reduce(0) { $0 + $1.loop.metrics.value(.connectionsAccepted) }
        #expect(accepted == 50)
        for thread in threads { thread.stop() }
        #expect(access("\(folder.path)/s", F_OK) != 0, "the file goes with the listener")
        for peer in peers { #expect(peer.receive().isEnd) }
    }

    @discardableResult
    private func listen(
        on test: HandTurnedLoop,
        at address: SocketAddress = .ipv4(0x7F00_0001, port: 0),
        _ open: @escaping ChannelOpener
    ) throws -> SocketAddress {
        let (descriptor, bound) = try Listener.bind(address, options: ListenerOptions(), reusesPort: true)
        try test.loop.add(Listener(descriptor: descriptor, address: bound, isShared: false, open: open))
        return bound
    }
}

/// How many threads held a place at a time.
private final class Tally: Sendable {
    private let held = Atomic<Int>(0)
    private let peak = Atomic<Int>(0)

    var most: Int { peak.load(ordering: .relaxed) }

    func hold(yields: Bool) {
        peak.max(held.wrappingAdd(1, ordering: .relaxed).newValue, ordering: .relaxed)
        if yields { sched_yield() }
        held.wrappingSubtract(1, ordering: .relaxed)
    }
}

/// Those of a listener, in the order of coming.
///
/// `@unchecked Sendable`: confined to the test's thread, which turns the loop.
private final class Recorders: @unchecked Sendable {
    private(set) var all: [Recorder] = []

    func add() -> Recorder {
        let recorder = Recorder()
        all.append(recorder)
        return recorder
    }
}

/// Two loops that share an accept policy.
private final class LoopPair {
    let loops: [HandTurnedLoop]
    let policy: AcceptPolicy

    init(connectionsMax: Int, descriptorsHigh: Int = .max, descriptorsMax: Int = .max) throws {
        loops = [try HandTurnedLoop(index: 0), try HandTurnedLoop(index: 1)]
        policy = AcceptPolicy(
            loops: loops.map(\.loop),
            connectionsMax: connectionsMax,
            descriptorsHigh: descriptorsHigh,
            descriptorsMax: descriptorsMax
        )
        for test in loops { test.loop.acceptPolicy = policy }
    }

    var openCounts: [Int] { loops.map(\.loop.openChannelCount) }

    func turn() {
        for test in loops { test.turn() }
    }
}
