// SPDX-License-Identifier: Apache-2.0

import CWeirSystem
import Glibc
import Synchronization
import Testing
import WeirEventLoop
import WeirMetrics
import WeirTestSupport

@Suite struct ListenerTests {
    private static let loopback = SocketAddress.ipv4(0x7F00_0001, port: 0)

    private static func bind(
        _ address: SocketAddress,
        _ options: ListenerOptions = ListenerOptions(),
        reusesPort: Bool = false
    ) throws -> (peer: Peer, address: SocketAddress) {
        let (descriptor, address) = try Listener.bind(address, options: options, reusesPort: reusesPort)
        return (Peer(descriptor: descriptor), address)
    }

    @Test func `port 0 gives the port that the kernel chose`() throws {
        let (listener, address) = try Self.bind(Self.loopback)
        #expect(address.host == "127.0.0.1")
        #expect(try #require(address.port) > 0)
        _ = try Peer.connected(to: address)
        withExtendedLifetime(listener) {}
    }

    @Test func `an address in use is named in the error`() throws {
        let (listener, address) = try Self.bind(Self.loopback)
        let error = try #require(throws: SystemCallError.self) { try Self.bind(address) }
        #expect(error.call == "bind")
        #expect(error.errno == EADDRINUSE)
        #expect(error.subject == address.description)
        #expect("\(error)" == "bind \(address): Address already in use")
        withExtendedLifetime(listener) {}
    }

    @Test func `an address in use is not free`() throws {
        let (listener, address) = try Self.bind(Self.loopback, reusesPort: true)
        let error = try #require(throws: SystemCallError.self) {
            try Listener.checkFree(address, options: ListenerOptions())
        }
        #expect(error.errno == EADDRINUSE)
        withExtendedLifetime(listener) {}
    }

    @Test func `whoever connects while an address is looked at is refused, not accepted and reset`() throws {
        // From 127.0.0.1, so that no socket can connect to itself.
        let (held, free) = try Self.bind(.ipv4(0x7F00_0002, port: 0))
        held.close()
        let isChecked = Atomic(false)
        let refused = Atomic(0)
        let accepted = Atomic(0)
        let faults = Mutex<[String]>([])
        inThreads(2) { thread in
            if thread == 0 {
                for _ in 0..<3_000 {
                    do throws(SystemCallError) {
                        try Listener.checkFree(free, options: ListenerOptions())
                    } catch {
                        faults.withLock { $0.append("\(error)") }
                    }
                }
                isChecked.store(true, ordering: .relaxed)
            } else {
                repeat {
                    do throws(SystemCallError) {
                        _ = try Peer.connected(to: free)
                        accepted.add(1, ordering: .relaxed)
                    } catch {
                        if error.errno == ECONNREFUSED {
                            refused.add(1, ordering: .relaxed)
                        } else {
                            faults.withLock { $0.append("\(error)") }
                        }
                    }
                } while !isChecked.load(ordering: .relaxed)
            }
        }
        #expect(accepted.load(ordering: .relaxed) == 0)
        #expect(refused.load(ordering: .relaxed) > 0)
        #expect(faults.withLock { $0 }.isEmpty)
    }

    @Test func `an address is not free where somebody listens on all of its family, or of both`() throws {
        let options = ListenerOptions(isDualStack: true)
        do {
            try Self.bind(.ipv6(0, 0, port: 0), options).peer.close()
        } catch let error as SystemCallError where error.errno == EAFNOSUPPORT || error.errno == EADDRNOTAVAIL {
            return
        }
        for all in [SocketAddress.ipv4(0, port: 0), .ipv6(0, 0, port: 0)] {
            let (listener, bound) = try Self.bind(all, options, reusesPort: true)
            let port = try #require(bound.port)
            for address in [SocketAddress.ipv4(0x7F00_0001, port: port), .ipv6(0, 0, port: port)] {
                let error = #expect(throws: SystemCallError.self, "\(address) beside \(bound)") {
                    try Listener.checkFree(address, options: options)
                }
                #expect(error?.errno == EADDRINUSE)
            }
            listener.close()
        }
    }

    @Test func `listeners that reuse the port share it`() throws {
        let (first, address) = try Self.bind(Self.loopback, reusesPort: true)
        let (second, again) = try Self.bind(address, reusesPort: true)
        #expect(again == address)
        withExtendedLifetime((first, second)) {}
    }

    @Test func `an address that is not this machine's is refused`() throws {
        let error = try #require(throws: SystemCallError.self) { try Self.bind(.ipv4(0xCB00_7101, port: 0)) }
        #expect(error.errno == EADDRNOTAVAIL)
    }

    @Test func `the file of a dead Unix socket is taken over, that of a live one is not`() throws {
        let folder = try ScratchFolder()
        let address = SocketAddress.unix(path: "\(folder.path)/s")
        let (first, _) = try Self.bind(address)
        let error = try #require(throws: SystemCallError.self) { try Self.bind(address) }
        #expect(error.errno == EADDRINUSE)
        _ = try Peer.connected(to: address)
        first.close()
        let (second, _) = try Self.bind(address)
        _ = try Peer.connected(to: address)
        withExtendedLifetime(second) {}
    }

    @Test func `a file that is no socket is not removed`() throws {
        let folder = try ScratchFolder()
        let path = "\(folder.path)/precious"
        let descriptor = open(path, O_CREAT | O_WRONLY, 0o600)
        try #require(descriptor >= 0)
        close(descriptor)
        #expect(throws: SystemCallError.self) { _ = try Self.bind(.unix(path: path)) }
        #expect(access(path, F_OK) == 0)
    }

    @Test(arguments: [UInt16(0o600), 0o660, 0o777])
    func `the file of a Unix socket has the mode that was asked for`(mode: UInt16) throws {
        let folder = try ScratchFolder()
        let path = "\(folder.path)/s"
        let (listener, _) = try Self.bind(.unix(path: path), ListenerOptions(unixMode: mode))
        var status = stat()
        try #require(stat(path, &status) == 0)
        #expect(status.st_mode & 0o777 == mode_t(mode))
        withExtendedLifetime(listener) {}
    }

    @Test(arguments: [false, true])
    func `a dual-stack listener takes IPv4 connections, and says so`(isDualStack: Bool) throws {
        let listener: Peer
        let bound: SocketAddress
        do {
            (listener, bound) = try Self.bind(.ipv6(0, 0, port: 0), ListenerOptions(isDualStack: isDualStack))
        } catch let error as SystemCallError where error.errno == EAFNOSUPPORT || error.errno == EADDRNOTAVAIL {
            return
        }
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let descriptor = dup(listener.descriptor)
        try test.loop.add(Listener(descriptor: descriptor, address: bound, isShared: false, open: recorder.opener))
        let target = SocketAddress.ipv4(0x7F00_0001, port: try #require(bound.port))
        if isDualStack {
            let peer = try Peer.connected(to: target)
            eventually("it is accepted") {
                test.turn()
                return recorder.address != nil
            }
            #expect(recorder.address?.host == "127.0.0.1")
            withExtendedLifetime(peer) {}
        } else {
            #expect(throws: SystemCallError.self) { _ = try Peer.connected(to: target) }
        }
    }

    @Test func `a listener that is watched before it listens takes connections from then on`() throws {
        let options = ListenerOptions()
        let (descriptor, bound) = try Listener.bind(Self.loopback, options: options, reusesPort: true, listens: false)
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        let listener = Listener(descriptor: descriptor, address: bound, isShared: false, open: recorder.opener)
        try test.loop.add(listener)
        test.turn()
        test.loop.acceptPending()
        #expect(throws: SystemCallError.self) { _ = try Peer.connected(to: bound) }
        try listener.listen(options: options)
        let peer = try Peer.connected(to: bound)
        test.turn(until: "it is accepted") { recorder.address != nil }
        #expect(test.metrics.value(.acceptFailures) == 0 && test.metrics.value(.acceptPauses) == 0)
        withExtendedLifetime(peer) {}
    }

    @Test func `TCP Fast Open can be asked for`() throws {
        let (listener, address) = try Self.bind(Self.loopback, ListenerOptions(fastOpenQueue: 16))
        var queue: Int32 = 0
        var size = socklen_t(MemoryLayout<Int32>.size)
        #expect(getsockopt(listener.descriptor, Int32(IPPROTO_TCP), TCP_FASTOPEN, &queue, &size) == 0)
        #expect(queue == 16)
        _ = try Peer.connected(to: address)
        withExtendedLifetime(listener) {}
    }

    @Test func `a closed listener removes the file that it owns, and no other`() throws {
        let folder = try ScratchFolder()
        let paths = ["owned", "shared", "replaced"].map { "\(folder.path)/\($0)" }
        let test = try HandTurnedLoop()
        let recorder = Recorder()
        for path in paths {
            let address = SocketAddress.unix(path: path)
            let descriptor = try Listener.bind(address, options: ListenerOptions(), reusesPort: false).descriptor
            let file = path == paths[1] ? nil : SocketFile(at: path)
            try test.loop.add(
                Listener(
                    descriptor: descriptor,
                    address: address,
                    isShared: true,
                    socketFile: file,
                    open: recorder.opener
                )
            )
        }
        // Another process takes the path over while this one still serves. The first file stays under another name, so
        // that its inode is not given out again.
        try #require(rename(paths[2], "\(folder.path)/aside") == 0)
        let (other, _) = try Self.bind(.unix(path: paths[2]))
        test.loop.closeListeners()
        #expect(paths.map { access($0, F_OK) == 0 } == [false, true, true])
        _ = try Peer.connected(to: .unix(path: paths[2]))
        withExtendedLifetime(other) {}
    }

    @Test func `a file that is no socket is no socket's file`() throws {
        let folder = try ScratchFolder()
        #expect(SocketFile(at: folder.path) == nil)
        #expect(SocketFile(at: "\(folder.path)/missing") == nil)
    }

    @Test func `an inherited socket says its address and does not block`() throws {
        let (listener, address) = try Self.bind(Self.loopback)
        try #require(fcntl(listener.descriptor, F_SETFL, 0) == 0)
        try #require(fcntl(listener.descriptor, F_SETFD, 0) == 0)
        #expect(try Listener.inherit(listener.descriptor) == address)
        #expect(fcntl(listener.descriptor, F_GETFL) & O_NONBLOCK != 0)
        #expect(fcntl(listener.descriptor, F_GETFD) & FD_CLOEXEC != 0)
        let copy = Peer(descriptor: try Listener.duplicate(listener.descriptor, of: address))
        #expect(try Listener.inherit(copy.descriptor) == address)
        #expect(fcntl(copy.descriptor, F_GETFD) & FD_CLOEXEC != 0)
    }

    @Test func `an inherited Unix socket says its path`() throws {
        let folder = try ScratchFolder()
        let address = SocketAddress.unix(path: "\(folder.path)/s")
        let (listener, _) = try Self.bind(address)
        #expect(try Listener.inherit(listener.descriptor) == address)
    }

    @Test func `a socket that does not listen cannot be inherited`() throws {
        let (listener, address) = try Self.bind(Self.loopback)
        let peer = try Peer.connected(to: address)
        let error = try #require(throws: SystemCallError.self) { try Listener.inherit(peer.descriptor) }
        #expect(error == SystemCallError("accept", errno: EINVAL, subject: "descriptor \(peer.descriptor)"))
        #expect(throws: SystemCallError.self) { try Listener.inherit(1 << 20) }
        withExtendedLifetime(listener) {}
    }
}
