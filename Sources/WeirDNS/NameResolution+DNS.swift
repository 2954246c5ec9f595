// SPDX-License-Identifier: Apache-2.0
// c-ares as an app's resolution of names: what the engine is told of it.

public import Weir
import WeirEventLoop
package import WeirUpstream

extension NameResolution {
    /// c-ares, on the engine's loop for such work; see ``App/resolveNames(by:)``.
    ///
    /// Names are asked for again when the time of their answer (TTL) is over. Servers, search domains and `ndots` are those
    /// of `/etc/resolv.conf`, or the servers of `WEIR_DNS_SERVERS`.
    public static var dns: NameResolution {
        NameResolution(
            fault: { servers in
                do throws(DNSServersError) {
                    _ = try DNSOptions.servers(servers)
                    return nil
                } catch {
                    return error.description
                }
            },
            open: { servers, loop in
                var options = DNSOptions()
                do throws(DNSServersError) {
                    options.servers = servers.isEmpty ? [] : try DNSOptions.servers(servers)
                } catch {
                    preconditionFailure("servers that `fault` should have refused: \(error)")
                }
                return DNSResolver(on: loop, options: options)
            }
        )
    }
}

extension DNSResolver: NameSource {
    package var lookup: AddressLookup { addressLookup }

    package func addresses(of name: String, port: UInt16, for feed: DiscoveryFeed) -> any DiscoveryProvider {
        DNSProvider(.addresses(name: name, port: port), feed: feed, resolver: self)
    }

    package func services(of name: String, for feed: DiscoveryFeed) -> (any DiscoveryProvider)? {
        DNSProvider(.services(name: name), feed: feed, resolver: self)
    }
}
