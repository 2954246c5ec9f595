// SPDX-License-Identifier: Apache-2.0
// Who looks names up, as the engine sees it: a table of functions, so that whoever needs no c-ares links none.

package import WeirEventLoop
package import WeirUpstream

/// How the names of endpoints are looked up; see ``App/resolveNames(by:)``.
public struct NameResolution: Sendable {
    /// Why a text names no name servers; nil where it does.
    package var fault: @Sendable (_ servers: String) -> String?
    /// Opens it for a loop, with the servers to ask; empty for the system's.
    package var open: @Sendable (_ servers: String, EventLoop) -> any NameSource

    package init(
        fault: @escaping @Sendable (_ servers: String) -> String?,
        open: @escaping @Sendable (_ servers: String, EventLoop) -> any NameSource
    ) {
        self.fault = fault
        self.open = open
    }
}

extension App {
    /// Has the names of endpoints looked up by something else than the system's resolver.
    ///
    /// ```swift
    /// import Weir
    /// import WeirDNS
    ///
    /// let app = App()
    /// app.resolveNames(by: .dns)
    /// ```
    ///
    /// The system's resolver (`getaddrinfo`) blocks a thread, tells no time to live, so that each name is asked for every
    /// 30 s, and knows no services.
    public func resolveNames(by resolution: NameResolution) {
        declare("a resolution of names") { $0.nameResolution = resolution }
    }
}

extension Settings {
    /// Checks that the process has the resolution that the settings name servers for, and that these are some.
    func checkNames(_ resolution: NameResolution?) throws(SettingsError) {
        guard !upstream.dnsServers.isEmpty else { return }
        let reason =
            if let resolution {
                resolution.fault(upstream.dnsServers)
            } else {
                "this process asks the system's resolver; import WeirDNS, and declare app.resolveNames(by: .dns)"
            }
        if let reason { throw .refused(name: "WEIR_DNS_SERVERS", value: upstream.dnsServers, reason: reason) }
    }
}
