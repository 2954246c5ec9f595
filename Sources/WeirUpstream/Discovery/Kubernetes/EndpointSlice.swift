// SPDX-License-Identifier: Apache-2.0
// One slice of a service's endpoints, as much of it as requests need. A value.

package import WeirEventLoop

/// A part of a service's endpoints (`discovery.k8s.io`), all of one address family and with the same ports.
package struct EndpointSlice: Sendable, Equatable {
    /// A TCP port of its endpoints.
    package struct Port: Sendable, Equatable {
        /// Empty for one without a name.
        package var name: String
        /// Nil for every port: a slice that somebody has written by hand.
        package var number: UInt16?

        package init(name: String = "", number: UInt16?) {
            self.name = name
            self.number = number
        }
    }

    /// An endpoint that can take requests. Those that cannot are left out when a slice is read.
    package struct Endpoint: Sendable, Equatable {
        /// Without a port.
        package var address: SocketAddress
        /// What stands behind the address, the same in the slices of both families; empty where nobody says.
        package var target: String
        /// False for one that ends, but still serves.
        package var isReady: Bool
        /// Where it runs; nil where nobody says.
        package var zone: String?
        /// The zones whose requests it is to take; empty where nobody says.
        package var hints: [String]

        package init(
            _ address: SocketAddress,
            target: String = "",
            isReady: Bool = true,
            zone: String? = nil,
            hints: [String] = []
        ) {
            self.address = address
            self.target = target
            self.isReady = isReady
            self.zone = zone
            self.hints = hints
        }
    }

    package var name: String
    package var ports: [Port]
    package var endpoints: [Endpoint]

    package init(name: String, ports: [Port], endpoints: [Endpoint]) {
        self.name = name
        self.ports = ports
        self.endpoints = endpoints
    }
}

/// A page of a list of slices.
package struct EndpointSliceList: Sendable, Equatable {
    package var slices: [EndpointSlice]
    /// The state of the cluster that the list is of, from which a watch goes on.
    package var resourceVersion: String
    /// What the next page is asked for with; nil for the last.
    package var continuation: String?

    package init(_ slices: [EndpointSlice], resourceVersion: String, continuation: String? = nil) {
        self.slices = slices
        self.resourceVersion = resourceVersion
        self.continuation = continuation
    }
}

/// A line of a watch.
package enum EndpointSliceEvent: Sendable, Equatable {
    /// A slice is new, or another: `ADDED` or `MODIFIED`.
    case changed(EndpointSlice, resourceVersion: String)
    /// A slice is gone: `DELETED`.
    case gone(name: String, resourceVersion: String)
    /// Nothing but how far the watch has come: `BOOKMARK`.
    case bookmark(resourceVersion: String)
    /// The watch cannot go on: `ERROR`, with the status that it brings.
    case failed(APIStatus)
    /// Of a kind that is not known, and means nothing to us.
    case unknown
}

/// What an API server says of a request that it does not answer as was asked.
package struct APIStatus: Sendable, Equatable {
    /// As in HTTP; 0 where it is not said.
    package var code: Int
    package var message: String

    package init(code: Int, message: String) {
        self.code = code
        self.message = message
    }
}
