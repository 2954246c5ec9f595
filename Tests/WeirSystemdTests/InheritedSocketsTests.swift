// SPDX-License-Identifier: Apache-2.0

import Glibc
import Testing
import Weir
import WeirSystemd

@Suite struct InheritedSocketsTests {
    /// A socket of the test, closed when it goes.
    private final class TestSocket {
        let descriptor: Int32

        init(_ family: Int32, _ type: __socket_type, listens: Bool) throws {
            descriptor = socket(family, Int32(type.rawValue), 0)
            try #require(descriptor >= 0)
            // An unbound socket gets an address of the kernel's choice.
            if listens { try #require(listen(descriptor, 1) == 0 || bindAndListen()) }
        }

        private func bindAndListen() -> Bool {
            var address = sockaddr_un()
            address.sun_family = sa_family_t(AF_UNIX)
            return withUnsafePointer(to: &address) { pointer in
                pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                    bind(descriptor, $0, socklen_t(MemoryLayout<sa_family_t>.size)) == 0 && listen(descriptor, 1) == 0
                }
            }
        }

        deinit { close(descriptor) }
    }

    @Test(arguments: [("http", false), ("unknown", false), ("weir.socket", false), ("admin", true)])
    func `a socket's name says what it is for`(name: String, isAdmin: Bool) throws {
        for family in [AF_INET, AF_UNIX] {
            let socket = try TestSocket(family, SOCK_STREAM, listens: true)
            let listeners = try InheritedListeners([InheritedSocket(descriptor: socket.descriptor, name: name)])
            #expect(listeners.traffic == (isAdmin ? [] : [socket.descriptor]))
            #expect(listeners.admin == (isAdmin ? [socket.descriptor] : []))
        }
    }

    @Test func `several sockets may have one name`() throws {
        let sockets = try (0..<3).map { _ in try TestSocket(AF_INET, SOCK_STREAM, listens: true) }
        let names = ["http", "admin", "http"]
        let listeners = try InheritedListeners(
            zip(sockets, names).map { InheritedSocket(descriptor: $0.descriptor, name: $1) }
        )
        #expect(listeners.traffic == [sockets[0].descriptor, sockets[2].descriptor])
        #expect(listeners.admin == [sockets[1].descriptor])
    }

    @Test(arguments: [
        (AF_INET, SOCK_DGRAM, false, "http", SocketFault.noStreamSocket),
        (AF_UNIX, SOCK_SEQPACKET, true, "http", .noStreamSocket),
        (AF_INET, SOCK_STREAM, false, "http", .notListening),
        (AF_UNIX, SOCK_STREAM, false, "admin", .notListening),
        (AF_INET, SOCK_STREAM, true, "metrics", .unknownName),
    ])
    func `a socket that cannot be used is named with its fault`(
        family: Int32,
        type: __socket_type,
        listens: Bool,
        name: String,
        fault: SocketFault
    ) throws {
        let test = try TestSocket(family, type, listens: listens)
        let socket = InheritedSocket(descriptor: test.descriptor, name: name)
        let error = #expect(throws: SystemdError.self) { try InheritedListeners([socket]) }
        #expect(error == .socket(socket, fault))
        let text = try #require(error?.description)
        #expect(text.hasPrefix("socket \"\(name)\" (descriptor \(test.descriptor)) from LISTEN_FDS "))
        #expect(!text.contains("\n"))
    }

    @Test func `a descriptor that is no socket is named`() throws {
        var pipes: [Int32] = [-1, -1]
        try #require(pipe(&pipes) == 0)
        defer { for descriptor in pipes { close(descriptor) } }
        let socket = InheritedSocket(descriptor: pipes[0], name: "http")
        #expect(throws: SystemdError.socket(socket, .noStreamSocket)) { try InheritedListeners([socket]) }
        let closed = InheritedSocket(descriptor: 1 << 20, name: "http")
        #expect(throws: SystemdError.socket(closed, .unreadable(EBADF))) { try InheritedListeners([closed]) }
    }

    @Test func `outside systemd, or for another process, there are none`() async {
        await #expect(processExitsWith: .success) {
            try #expect(InheritedListeners.fromSystemd() == InheritedListeners())
            setenv("LISTEN_FDS", "2", 1)
            setenv("LISTEN_PID", "1", 1)
            try #expect(InheritedListeners.fromSystemd() == InheritedListeners())
        }
    }

    @Test(arguments: ["many", "-1"])
    func `a LISTEN_FDS that is no count is told`(count: String) async {
        await #expect(processExitsWith: .success) { [count] in
            setenv("LISTEN_FDS", count, 1)
            setenv("LISTEN_PID", "\(getpid())", 1)
            let error = #expect(throws: SystemdError.self) { try InheritedListeners.fromSystemd() }
            #expect(error?.description.hasPrefix("LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES cannot be used: ") == true)
        }
    }
}
