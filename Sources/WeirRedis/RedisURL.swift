// SPDX-License-Identifier: Apache-2.0
// Where the store is and who we are there: what WEIR_REDIS says. A value, made at start.

package import WeirEventLoop

/// `redis://[[user]:password@]host[:port][/database]`, or `unix:/path`.
///
/// `description` never shows the user or the password; `***` stands for them.
package struct RedisURL: Sendable, Equatable, CustomStringConvertible {
    package enum Place: Sendable, Equatable {
        /// A name to be resolved each time a connection is made.
        case name(String, port: UInt16)
        case address(SocketAddress)
    }

    package struct Credentials: Sendable, Equatable {
        /// Nil for the default user.
        let user: String?
        let password: String
    }

    package static let portDefault: UInt16 = 6379
    package static let databaseMax = 65_535
    /// The longest host name in bytes (RFC 1035 section 3.1).
    package static let nameBytesMax = 253
    /// The longest Unix socket path in bytes: `sun_path` holds 108 with the final zero.
    package static let unixPathBytesMax = 107

    package let place: Place
    package let credentials: Credentials?
    package let database: Int

    package var description: String {
        let authority =
            switch place {
            case .name(let name, let port): "\(name):\(port)"
            case .address(let address): address.description
            }
        if case .address(.unix) = place { return authority }
        return "redis://\(credentials == nil ? "" : "***@")\(authority)\(database == 0 ? "" : "/\(database)")"
    }
}
