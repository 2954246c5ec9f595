// SPDX-License-Identifier: Apache-2.0
// What systemd handed over and what cannot be used of it.

import Glibc

/// Why the start under systemd failed. `description` is one line that names what was wrong and where it is set.
package enum SystemdError: Error, Equatable, CustomStringConvertible {
    /// The watchdog's variables are no numbers. The value is an error number.
    case watchdog(Int32)
    /// The variables of socket activation cannot be used. The value is an error number.
    case listenVariables(Int32)
    /// A descriptor is nothing that connections can be taken from.
    case socket(InheritedSocket, SocketFault)
    /// A thread cannot be started.
    case thread(String)

    package var description: String {
        switch self {
        case .watchdog(let number):
            "WATCHDOG_USEC and WATCHDOG_PID cannot be used: \(Self.reason(number))"
        case .listenVariables(let number):
            "LISTEN_FDS, LISTEN_PID and LISTEN_FDNAMES cannot be used: \(Self.reason(number))"
        case .socket(let socket, let fault):
            "socket \"\(socket.name)\" (descriptor \(socket.descriptor)) from LISTEN_FDS \(fault)"
        case .thread(let text):
            text
        }
    }

    private static func reason(_ number: Int32) -> String { String(cString: strerror(number)) }
}

/// What is wrong with a descriptor.
package enum SocketFault: Equatable, Sendable, CustomStringConvertible {
    case noStreamSocket
    case notListening
    case otherFamily
    case unknownName
    /// The error number of the call that looked at it.
    case unreadable(Int32)

    package var description: String {
        switch self {
        case .noStreamSocket: "is no stream socket: it needs ListenStream="
        case .notListening: "is not listening: it needs Accept=no"
        case .otherFamily: "is not of IPv4, IPv6 or Unix"
        case .unknownName: "has a name that is not known: FileDescriptorName= is http or admin"
        case .unreadable(let number): "cannot be looked at: \(String(cString: strerror(number)))"
        }
    }
}
