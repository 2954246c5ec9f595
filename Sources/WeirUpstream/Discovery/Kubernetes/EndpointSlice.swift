// SPDX-License-Identifier: Apache-2.0
// One slice of a service's endpoints, as much of it as requests need. A value.

package import WeirEventLoop

/// A part of a service's endpoints (`discovery.k8s.io`), all of one address family and with the same ports.
package struct EndpointSlice: KubernetesObject {
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

    package typealias Document = EndpointSliceDocument

    package var key: String { name }

    /// Slices of one namespace are asked for.
    package static func key(of name: String, in namespace: String?) -> String { name }
}

package typealias EndpointSliceList = KubernetesList<EndpointSlice>
package typealias EndpointSliceEvent = KubernetesEvent<EndpointSlice>
package typealias EndpointSliceJSON = KubernetesJSON<EndpointSlice>
package typealias EndpointSliceWatch = KubernetesWatch<EndpointSliceQuery>
