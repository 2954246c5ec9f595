// SPDX-License-Identifier: Apache-2.0
// What the kernel may hold for each connection: much where there are few, little where there are many, on real sockets.

import Glibc
import Synchronization
import Testing
import WeirEventLoop
import WeirTestSupport

@Suite struct SocketBuffersTests {
    private static let shared = SocketBuffers(bytesLeast: 16 << 10, bytesShared: 1 << 20)

    @Test(arguments: [
        (1, 128), (4, 128), (5, 64), (8, 64), (9, 32), (16, 32), (17, 16), (32, 16), (33, 16), (1_000_000, 16),
    ])
    func `each doubling halves what a connection has, down to the least`(connections: Int, kibibytes: Int) {
        #expect(Self.shared.bytes(connections: connections) == kibibytes << 10)
    }

    @Test func `together they have no more than what is shared, as long as each has more than the least`() {
        for connections in 1...32 {
            #expect(2 * connections * Self.shared.bytes(connections: connections) <= Self.shared.bytesShared)
        }
    }

    @Test func `what is given, and what is the kernel's, does not depend on how many there are`() {
        for connections in [1, 100, 10_000] {
            #expect(SocketBuffers(bytesLeast: 8192).bytes(connections: connections) == 8192)
            #expect(SocketBuffers.ofTheKernel.bytes(connections: connections) == 0)
            // More than the most, where so few may be open that it is the least.
            #expect(SocketBuffers(bytesLeast: 1 << 20, bytesShared: 1 << 24).bytes(connections: connections) == 1 << 20)
        }
        #expect(SocketBuffers(bytesLeast: 0, bytesShared: 1 << 20) == .ofTheKernel)
    }

    @Test func `accepted connections share what there is, and have it back when others have gone`() throws {
        let test = try HandTurnedLoop()
        test.loop.acceptPolicy = Self.policy(of: test.loop)
        let opened = Opened()
        let options = ListenerOptions(socketBufferBytes: Self.shared.bytesLeast)
        let (descriptor, address) = try Listener.bind(.ipv4(0x7F00_0001, port: 0), options: options, reusesPort: false)
        try test.loop.add(Listener(descriptor: descriptor, address: address, isShared: false, open: opened.opener))
        var peers: [Peer] = []
        for (count, kibibytes) in [(1, 128), (4, 128), (5, 64), (9, 32), (17, 16), (20, 16)] {
            while peers.count < count {
                peers.append(try Peer.connected(to: address))
                test.turn(until: "it is accepted") { opened.open.count == peers.count }
            }
            #expect(opened.open.allSatisfy { Self.buffers(of: $0) == [kibibytes << 10, kibibytes << 10] }, "\(count)")
        }
        // They grow where they would not shrink with twice as many at once.
        for (count, kibibytes) in [(9, 16), (8, 32), (5, 32), (4, 64), (3, 64), (2, 128), (1, 128)] {
            while peers.count > count {
                peers.removeLast().closeWithReset()
                test.turn(until: "it is closed") { opened.open.count == peers.count }
            }
            #expect(opened.open.allSatisfy { Self.buffers(of: $0) == [kibibytes << 10, kibibytes << 10] }, "\(count)")
        }
    }

    @Test func `as much comes at once as the buffer has room for, although its listener's is small`() throws {
        let test = try HandTurnedLoop()
        test.loop.acceptPolicy = Self.policy(of: test.loop)
        let opened = Opened()
        let options = ListenerOptions(socketBufferBytes: Self.shared.bytesLeast)
        let (descriptor, address) = try Listener.bind(.ipv4(0x7F00_0001, port: 0), options: options, reusesPort: false)
        try test.loop.add(Listener(descriptor: descriptor, address: address, isShared: false, open: opened.opener))
        let peer = try Peer.connected(to: address)
        test.turn(until: "it is accepted") { opened.open.count == 1 }
        let channel = try #require(opened.open.first)
        channel.pause()
        peer.enlargeSendBuffer()
        let bytes = [UInt8](repeating: 1, count: 1 << 20)
        eventually("more waits than a listener's buffer has room for") {
            peer.send(bytes)
            return Self.waiting(at: channel) > 4 * Self.shared.bytesLeast
        }
    }

    @Test func `connections that are made share with those that come`() throws {
        let test = try HandTurnedLoop()
        test.loop.acceptPolicy = Self.policy(of: test.loop)
        let backlog = try Backlog(.ipv4)
        let recorders = (0..<9).map { _ in Recorder() }
        for (index, recorder) in recorders.enumerated() {
            try test.loop.connect(to: backlog.address, open: recorder.opener)
            let kibibytes = index < 2 ? 128 : index < 4 ? 128 : index < 8 ? 64 : 32
            let channels = recorders[...index].map(\.channel)
            #expect(channels.allSatisfy { Self.buffers(of: $0) == [kibibytes << 10, kibibytes << 10] }, "\(index + 1)")
        }
        withExtendedLifetime(backlog) {}
    }

    @Test func `what is no TCP connection keeps its buffers`() throws {
        let (without, with) = (try HandTurnedLoop(), try HandTurnedLoop())
        with.loop.acceptPolicy = Self.policy(of: with.loop)
        let recorders = [Recorder(), Recorder()]
        let peers = [try without.connect(recorders[0]), try with.connect(recorders[1])]
        #expect(Self.buffers(of: recorders[0].channel) == Self.buffers(of: recorders[1].channel))
        withExtendedLifetime(peers) {}
    }

    // MARK: Support

    private static func policy(of loop: EventLoop) -> AcceptPolicy {
        AcceptPolicy(
            loops: [loop],
            connectionsMax: 1000,
            descriptorsHigh: .max,
            descriptorsMax: .max,
            socketBuffers: shared
        )
    }

    private static func buffers(of channel: Channel) -> [Int] {
        [SO_RCVBUF, SO_SNDBUF].map { option in
            var bytes: Int32 = 0
            var size = socklen_t(MemoryLayout<Int32>.size)
            getsockopt(channel.descriptor, SOL_SOCKET, option, &bytes, &size)
            return Int(bytes)
        }
    }

    private static func waiting(at channel: Channel) -> Int {
        var count: Int32 = 0
        _ = ioctl(channel.descriptor, UInt(FIONREAD), &count)
        return Int(count)
    }
}

/// The channels of a listener that are open.
///
/// `@unchecked Sendable`: confined to the test's thread, which turns the loop.
private final class Opened: @unchecked Sendable {
    private var recorders: [Recorder] = []

    var open: [Channel] { recorders.filter(\.closeReasons.isEmpty).map(\.channel) }

    var opener: ChannelOpener {
        { [self] loop, channel, address in
            let recorder = Recorder.echo()
            recorders.append(recorder)
            return recorder.opener(loop, channel, address)
        }
    }
}
