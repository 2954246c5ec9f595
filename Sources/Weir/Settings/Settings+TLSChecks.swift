// SPDX-License-Identifier: Apache-2.0
// Which settings of TLS fit together, those of addresses among them.

extension Settings {
    func checkTLS() throws(SettingsError) {
        if tls.certificates.count != tls.keys.count {
            throw conflict("WEIR_TLS_KEY", "WEIR_TLS_CERT", "as many keys as certificates")
        }
        if !tls.staples.isEmpty, tls.staples.count != tls.certificates.count {
            throw conflict("WEIR_TLS_OCSP", "WEIR_TLS_CERT", "as many responses as certificates, - for none")
        }
        if tls.takesEarlyData, !tls.ticketKeys.isEmpty {
            // Another replica would take the same request again.
            throw conflict("WEIR_TLS_EARLY_DATA", "WEIR_TLS_TICKET_KEYS", "one of them alone")
        }
        var usesCertificates = false
        var isSecure = false
        var takesEarlyData = false
        for (name, addresses) in [("WEIR_LISTEN", listen), ("WEIR_ADMIN_LISTEN", adminListen)] {
            for case .tls(let host, let port, let own) in addresses {
                usesCertificates = usesCertificates || own.certificates.isEmpty
                if own.certificates.isEmpty, tls.certificates.isEmpty {
                    throw conflict(name, "WEIR_TLS_CERT", "a certificate for the addresses with tls://")
                }
                if let fault = own.fault { throw refusal(name, .tls(host: host, port: port, own: own), fault) }
                let profile = TLSProfile(tls, own, isAdmin: name == "WEIR_ADMIN_LISTEN")
                isSecure = isSecure || name == "WEIR_LISTEN"
                takesEarlyData = takesEarlyData || profile.takesEarlyData
                let address = ListenAddress.tls(host: host, port: port, own: own)
                if profile.clients != .off, profile.clientAuthorities.isEmpty, own.clients != nil {
                    throw refusal(name, address, "expected client-ca=, the CAs of clients")
                }
                if profile.clients == .off, own.clientAuthorities != nil {
                    throw refusal(name, address, "expected client=optional or client=required with client-ca=")
                }
            }
        }
        // Whoever names a certificate believes that it is used.
        if !tls.certificates.isEmpty, !usesCertificates {
            throw conflict("WEIR_TLS_CERT", "WEIR_LISTEN", "an address with tls://, such as tls://:8443")
        }
        // Who shows a certificate is known when the handshake is done.
        if tls.takesEarlyData, isSecure, !takesEarlyData {
            throw conflict("WEIR_TLS_EARLY_DATA", "WEIR_TLS_CLIENT", "an address that asks clients for no certificate")
        }
        if tls.clients != .off, tls.clientAuthorities.isEmpty {
            throw conflict("WEIR_TLS_CLIENT", "WEIR_TLS_CLIENT_CA", "the CAs that sign certificates of clients")
        }
        if !tls.clientAuthorities.isEmpty, tls.clients == .off {
            throw conflict("WEIR_TLS_CLIENT_CA", "WEIR_TLS_CLIENT", "optional or required, where CAs are named")
        }
    }

    /// Whoever says whom to trust, or what is shown, believes that it is encrypted.
    ///
    /// - Parameter isSpoken: Whether there is an upstream that TLS is spoken with, or none at all.
    func checkUpstreamTLS(isSpoken: Bool) throws(SettingsError) {
        guard !isSpoken else { return }
        for (name, value) in [
            ("WEIR_UPSTREAM_TLS_CA", upstream.tls.authorities), ("WEIR_UPSTREAM_TLS_CERT", upstream.tls.certificate),
        ] where !value.isEmpty {
            let reason = "TLS is spoken with no upstream; expected an endpoint that begins with https://"
            throw fault(of: name, "\(SettingsError.quoted(value)): \(reason)")
                ?? .refused(name: name, value: value, reason: reason)
        }
    }

    private func refusal(_ name: String, _ address: ListenAddress, _ reason: String) -> SettingsError {
        let value = address.description
        return fault(of: name, "\(SettingsError.quoted(value)): \(reason)")
            ?? .refused(name: name, value: value, reason: reason)
    }
}
