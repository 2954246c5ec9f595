// SPDX-License-Identifier: Apache-2.0
// Discovery from the EndpointSlices of a Kubernetes service. Confined to its loop's thread.

package import WeirEventLoop

/// Gives a feed the endpoints of a service that take requests.
package final class KubernetesProvider: DiscoveryProvider {
    private let watch: EndpointSliceWatch

    /// - Parameters:
    ///   - zone: where this process runs: endpoints that are for other zones are left out, where all of them are for some.
    ///     Nil where that does not matter.
    ///   - lookup: finds the API server, where it is given by name.
    ///   - secure: whom a connection to the API server is to find, where it is asked over TLS.
    package init(
        _ service: KubernetesService,
        from api: KubernetesAPI,
        zone: String? = nil,
        feed: DiscoveryFeed,
        on loop: EventLoop,
        lookup: @escaping AddressLookup,
        secure: EndpointSliceWatch.Securing? = nil
    ) {
        watch = EndpointSliceWatch(
            service,
            from: api,
            on: loop,
            lookup: lookup,
            secure: secure,
            listener: EndpointSliceWatch.Listener(
                found: { table in
                    do throws(KubernetesProblem) {
                        feed.found(try table.endpoints(of: service, zone: zone))
                    } catch {
                        feed.failed(error)
                    }
                },
                failed: { feed.failed($0) }
            )
        )
    }

    package func start() { watch.start() }

    package func stop() { watch.stop() }
}
