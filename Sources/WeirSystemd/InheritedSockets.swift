// SPDX-License-Identifier: Apache-2.0
// The sockets that the service manager opened for this process: sd_listen_fds(3).

import CSystemd
import Glibc
package import Weir

/// A descriptor from `LISTEN_FDS`, with its name from `LISTEN_FDNAMES`.
package struct InheritedSocket: Sendable, Equatable {
    package let descriptor: Int32
    package let name: String

    package init(descriptor: Int32, name: String) {
        self.descriptor = descriptor
        self.name = name
    }
}

extension InheritedListeners {
    /// The listening sockets that were handed to this process; none outside systemd, and none if they are for another
    /// process (`LISTEN_PID`).
    ///
    /// A socket called `admin` is the admin port's. One called `http`, or one without a name of its own (systemd then
    /// gives the unit's: `weir.socket`), takes requests.
    /// - Throws: `SystemdError` for the first socket that cannot be used.
    package static func fromSystemd() throws(SystemdError) -> InheritedListeners {
        var names: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?
        let count = sd_listen_fds_with_names(0, &names)
        guard count >= 0 else { throw .listenVariables(-count) }
        defer {
            // An array of strings with a null at its end, all of it ours to free.
            var next = names
            while let name = next?.pointee {
                free(name)
                next = next?.advanced(by: 1)
            }
            free(names)
        }
        return try InheritedListeners(
            (0..<count).map { index in
                InheritedSocket(
                    descriptor: SD_LISTEN_FDS_START + index,
                    // In bounds: there is a name for each of the `count` descriptors.
                    name: names?[Int(index)].map { String(cString: $0) } ?? "unknown"
                )
            }
        )
    }

    /// Checks each socket and sorts them by their names.
    package init(_ sockets: [InheritedSocket]) throws(SystemdError) {
        self.init()
        for socket in sockets {
            if let fault = socket.fault { throw .socket(socket, fault) }
            switch socket.name {
            case "admin": admin.append(socket.descriptor)
            case "http", "unknown": traffic.append(socket.descriptor)
            case let name where name.hasSuffix(".socket"): traffic.append(socket.descriptor)
            default: throw .socket(socket, .unknownName)
            }
        }
    }
}

extension InheritedSocket {
    /// What keeps it from taking connections; nil if nothing does.
    fileprivate var fault: SocketFault? {
        func isSocket(family: Int32, isListening: Int32) -> Int32 {
            sd_is_socket(descriptor, family, Int32(SOCK_STREAM.rawValue), isListening)
        }
        let isStream = isSocket(family: AF_UNSPEC, isListening: -1)
        guard isStream >= 0 else { return .unreadable(-isStream) }
        guard isStream > 0 else { return .noStreamSocket }
        guard isSocket(family: AF_UNSPEC, isListening: 1) > 0 else { return .notListening }
        let families = [AF_INET, AF_INET6, AF_UNIX]
        return families.contains { isSocket(family: $0, isListening: 1) > 0 } ? nil : .otherFamily
    }
}
