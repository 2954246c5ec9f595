// SPDX-License-Identifier: Apache-2.0
// Who may ask: the aggregation layer, by the certificate of its front proxy and the user that it names. Pure.

import FoundationEssentials

/// What the ConfigMap `kube-system/extension-apiserver-authentication` says of the aggregation layer.
package struct FrontProxy: Sendable, Equatable {
    /// PEM: who signs the front proxy's certificate.
    package var authorities: [UInt8]
    /// The common names that it may have; empty for any.
    package var allowedNames: [String]
    /// The fields that may name the user, in their order.
    package var userFields: [String]

    package static let configMapPath = "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication"

    package init(authorities: [UInt8], allowedNames: [String] = [], userFields: [String] = ["X-Remote-User"]) {
        self.authorities = authorities
        self.allowedNames = allowedNames
        self.userFields = userFields
    }

    /// Why a ConfigMap cannot be used.
    package enum Fault: Error, Equatable, CustomStringConvertible {
        case malformed
        case noAuthorities
        case badList(String)

        package var description: String {
            switch self {
            case .malformed: "it is no ConfigMap"
            case .noAuthorities:
                "it has no requestheader-client-ca-file: the API server runs without that option, so without an "
                    + "aggregation layer"
            case .badList(let key): "\(key) is no JSON list of texts"
            }
        }
    }

    /// Reads the ConfigMap's JSON.
    package init(configMap bytes: [UInt8]) throws(Fault) {
        guard let document = try? JSONDecoder().decode(ConfigMap.self, from: Data(bytes)) else { throw .malformed }
        let data = document.data ?? [:]
        guard let text = data["requestheader-client-ca-file"], !text.isEmpty else { throw .noAuthorities }
        authorities = Array(text.utf8)
        allowedNames = try Self.list("requestheader-allowed-names", data) ?? []
        userFields = try Self.list("requestheader-username-headers", data) ?? ["X-Remote-User"]
    }

    private struct ConfigMap: Decodable {
        let data: [String: String]?
    }

    private static func list(_ key: String, _ data: [String: String]) throws(Fault) -> [String]? {
        guard let text = data[key], !text.isEmpty else { return nil }
        guard let list = try? JSONDecoder().decode([String].self, from: Data(text.utf8)) else { throw .badList(key) }
        return list
    }

    /// Whether a request is the aggregation layer's.
    ///
    /// - Parameters:
    ///   - subject: of the certificate that was shown and that one of the authorities has signed; nil without.
    ///   - field: the value of a request's field.
    package func admits(subject: String?, field: (String) -> String?) -> Bool {
        guard let subject else { return false }
        if !allowedNames.isEmpty {
            guard let name = CommonName.of(subject), allowedNames.contains(name) else { return false }
        }
        return userFields.contains { !(field($0) ?? "").isEmpty }
    }
}

/// The common name of a subject.
package enum CommonName {
    /// - Parameter subject: as RFC 2253 has it: `CN=front-proxy-client,O=Shop`.
    /// - Returns: nil where there is none, or more than one, or it is written in bytes (`#…`).
    package static func of(_ subject: String) -> String? {
        var names: [String] = []
        for part in parts(subject) {
            guard part.hasPrefix("CN=") else { continue }
            guard !part.hasPrefix("CN=#"), let name = plain(part.dropFirst(3)) else { return nil }
            names.append(name)
        }
        return names.count == 1 ? names[0] : nil
    }

    /// Split where attributes end: at commas and pluses that nothing escapes.
    private static func parts(_ text: String) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        var isEscaped = false
        for index in text.indices {
            if isEscaped {
                isEscaped = false
            } else if text[index] == "\\" {
                isEscaped = true
            } else if text[index] == "," || text[index] == "+" {
                parts.append(text[start..<index])
                start = text.index(after: index)
            }
        }
        return parts + [text[start...]]
    }

    /// Without escapes: `\,` is a comma, `\C3` a byte; nil for an escape that is none.
    private static func plain(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "\\") else {
                bytes.append(byte)
                continue
            }
            guard let next = rest.popFirst() else { return nil }
            if let high = digit(next), let following = rest.first, let low = digit(following) {
                rest.removeFirst()
                bytes.append(high << 4 | low)
            } else {
                bytes.append(next)
            }
        }
        return String(validating: bytes, as: UTF8.self)
    }

    private static func digit(_ byte: UInt8) -> UInt8? {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"): byte - UInt8(ascii: "0")
        case UInt8(ascii: "A")...UInt8(ascii: "F"): byte - UInt8(ascii: "A") + 10
        case UInt8(ascii: "a")...UInt8(ascii: "f"): byte - UInt8(ascii: "a") + 10
        default: nil
        }
    }
}
