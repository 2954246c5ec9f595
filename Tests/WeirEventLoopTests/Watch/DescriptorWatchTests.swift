// SPDX-License-Identifier: Apache-2.0

import CWeirSystem
import Glibc
import Testing
import WeirEventLoop

@Suite struct DescriptorWatchTests {
    /// One end of a pair of sockets that is watched, and what its watch was told.
    final class Watched {
        let peer: Peer
        let own: Peer
        private(set) var told: [DescriptorWatch.Interest] = []
        var onReady: () -> Void = {}
        private(set) lazy var watch = DescriptorWatch(own.descriptor) { [unowned self] _, ready in
            told.append(ready)
            onReady()
        }

        init() throws {
            var pair: [Int32] = [-1, -1]
            try #require(weir_socketpair(&pair) == 0)
            peer = Peer(descriptor: pair[0])
            own = Peer(descriptor: pair[1])
        }

        func read() {
            var byte: UInt8 = 0
            #expect(recv(own.descriptor, &byte, 1, 0) == 1)
        }
    }

    @Test func `a watch is told again and again until nothing is left`() throws {
        let test = try HandTurnedLoop()
        let watched = try Watched()
        try test.loop.watch(watched.watch, for: .readable)
        test.turn()
        #expect(watched.told.isEmpty)
        watched.peer.send([1, 2])
        watched.onReady = watched.read
        test.turn(4)
        #expect(watched.told == [.readable, .readable])
        test.loop.unwatch(watched.watch)
    }

    @Test func `a watch is told what it is watched for, and no more`() throws {
        let test = try HandTurnedLoop()
        let watched = try Watched()
        watched.peer.send([1])
        try test.loop.watch(watched.watch, for: .writable)
        test.turn()
        #expect(watched.told == [.writable])
        try test.loop.watch(watched.watch, for: .readable)
        test.turn()
        #expect(watched.told == [.writable, .readable])
        try test.loop.watch(watched.watch, for: [.readable, .writable])
        test.turn()
        #expect(watched.told.last == [.readable, .writable])
        try test.loop.watch(watched.watch, for: [])
        test.turn()
        #expect(watched.told.count == 3)
        #expect(watched.watch.interest.isEmpty)
        try test.loop.watch(watched.watch, for: .readable)
        test.turn()
        #expect(watched.told.count == 4)
        test.loop.unwatch(watched.watch)
    }

    @Test(arguments: [DescriptorWatch.Interest.readable, .writable])
    func `a watch takes an end for all that it is watched for`(_ interest: DescriptorWatch.Interest) throws {
        let test = try HandTurnedLoop()
        let watched = try Watched()
        watched.peer.close()
        try test.loop.watch(watched.watch, for: interest)
        test.turn()
        #expect(watched.told.first?.contains(interest) == true)
        test.loop.unwatch(watched.watch)
    }

    @Test func `a watch that ended in this turn is told nothing, nor is the one that has its slot`() throws {
        let test = try HandTurnedLoop()
        let (one, other, later) = (try Watched(), try Watched(), try Watched())
        for watched in [one, other] {
            watched.peer.send([1])
            try test.loop.watch(watched.watch, for: .readable)
        }
        // Whichever is told first ends the other, whose slot a third one takes at once.
        one.onReady = { replace(one, other) }
        other.onReady = { replace(other, one) }
        func replace(_ told: Watched, _ ended: Watched) {
            told.read()
            test.loop.unwatch(ended.watch)
            #expect(throws: Never.self) { try test.loop.watch(later.watch, for: .readable) }
        }
        test.turn()
        #expect(one.told.count + other.told.count == 1)
        #expect(later.told.isEmpty)
        later.peer.send([1])
        test.turn()
        #expect(later.told == [.readable])
        for watched in [one, other, later] {
            test.loop.unwatch(watched.watch)
            // It holds the others.
            watched.onReady = {}
        }
    }

    @Test func `a watch of what cannot be watched is refused, and leaves nothing behind`() throws {
        let test = try HandTurnedLoop()
        let watch = DescriptorWatch(-1) { _, _ in Issue.record("told of nothing") }
        #expect(throws: SystemCallError("epoll_ctl", errno: EBADF)) { try test.loop.watch(watch, for: .readable) }
        #expect(watch.interest.isEmpty)
        test.turn()
    }
}
