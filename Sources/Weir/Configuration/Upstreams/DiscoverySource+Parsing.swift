// SPDX-License-Identifier: Apache-2.0
// Reads the URL of a source of endpoints. Strict; pure.

import WeirUpstream

/// Why a text names no source, in words that follow it in a fault.
struct DiscoverySourceError: Error {
    let reason: String

    init(_ reason: String) { self.reason = reason }
}

extension DiscoverySource {
    static let forms =
        "file:///run/orders.json, dns://name:port, dns+srv://name, consul://host:8500/service?tag=v2 or "
        + "k8s://namespace/service:port"

    private static let schemes = ["file", "dns", "dns+srv", "consul", "consul+https", "k8s"]

    /// Whether a text that may also list endpoints names a source.
    static func isNamed(by text: String) -> Bool { schemes.contains { text.hasPrefix("\($0)://") } }

    init(parsing text: String) throws(DiscoverySourceError) {
        guard let separator = text.firstRange(of: "://") else {
            throw DiscoverySourceError("no scheme; expected \(Self.forms)")
        }
        let rest = String(text[separator.upperBound...])
        switch text[..<separator.lowerBound] {
        case "file": self = try Self.file(rest)
        case "dns": self = try Self.addresses(rest)
        case "dns+srv": self = try Self.services(rest)
        case "consul": self = try Self.consul(rest, isSecure: false)
        case "consul+https": self = try Self.consul(rest, isSecure: true)
        case "k8s": self = try Self.kubernetes(rest)
        case let scheme: throw DiscoverySourceError("scheme \"\(scheme)\" is not known; expected \(Self.forms)")
        }
    }

    private static func file(_ path: String) throws(DiscoverySourceError) -> DiscoverySource {
        // PATH_MAX, with the zero at the end.
        let pathBytesMax = 4095
        guard path.hasPrefix("/"), !path.hasSuffix("/"), path.utf8.count <= pathBytesMax, !path.utf8.contains(0) else {
            throw DiscoverySourceError("expected the absolute path of a file, such as file:///run/orders.json")
        }
        return .file(path: path)
    }

    private static func addresses(_ text: String) throws(DiscoverySourceError) -> DiscoverySource {
        guard case .name(let name, let port) = try? place(text, isPortNeeded: true) else {
            throw DiscoverySourceError("expected a name and a port, such as dns://orders.shop.svc:8080")
        }
        return .addresses(name: name, port: port)
    }

    private static func services(_ text: String) throws(DiscoverySourceError) -> DiscoverySource {
        guard !text.contains(":"), case .name(let name, _) = try? place(text, isPortNeeded: false) else {
            throw DiscoverySourceError("expected a name without a port, such as dns+srv://_http._tcp.orders.shop.svc")
        }
        return .services(name: name)
    }

    private static func consul(_ text: String, isSecure: Bool) throws(DiscoverySourceError) -> DiscoverySource {
        let form = "expected a server, a service and perhaps tags, such as consul://127.0.0.1:8500/orders?tag=v2"
        let parts = text.split(separator: "?", maxSplits: 1, omittingEmptySubsequences: false)
        let names = parts[0].split(separator: "/", omittingEmptySubsequences: false)
        guard names.count == 2, isName(names[1]), let server = try? place(String(names[0]), isPortNeeded: true) else {
            throw DiscoverySourceError(form)
        }
        var service = ConsulService(server: server, name: String(names[1]), isSecure: isSecure)
        guard parts.count == 2 else { return .consul(service) }
        for option in parts[1].split(separator: "&", omittingEmptySubsequences: false) {
            let words = option.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
            guard words.count == 2, isName(words[1]) else { throw DiscoverySourceError(form) }
            switch words[0] {
            case "tag" where service.tags.count < tagsMax: service.tags.append(String(words[1]))
            case "tag": throw DiscoverySourceError("more than \(tagsMax) tags")
            case "dc" where service.datacenter == nil: service.datacenter = String(words[1])
            default: throw DiscoverySourceError("option \"\(words[0])\" is not known, or stands twice; tag and dc are")
            }
        }
        return .consul(service)
    }

    private static func kubernetes(_ text: String) throws(DiscoverySourceError) -> DiscoverySource {
        guard let service = KubernetesService(parsing: text) else {
            throw DiscoverySourceError(
                "expected a namespace, a service and a port by name or number, such as k8s://shop/orders:http"
            )
        }
        return .kubernetes(service)
    }

    /// The most tags that an instance may be asked to have.
    static let tagsMax = 16

    private static func place(_ text: String, isPortNeeded: Bool) throws(EndpointURLError) -> EndpointURL.Place {
        if text.contains(";") || isPortNeeded && !EndpointURL.hasPort(text) { throw .invalidPort(url: text, port: "") }
        return try EndpointURL(parsing: "http://\(text)").place
    }

    /// What stands in a URL as it is (RFC 3986 section 2.3): names with other characters are not found in catalogs.
    private static func isName(_ text: Substring) -> Bool {
        let bytesMax = 255
        return (1...bytesMax).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"): true
                case UInt8(ascii: "0")...UInt8(ascii: "9"): true
                default: "-._~".utf8.contains(byte)
                }
            }
    }
}

extension ValueForm where Value == DiscoverySource {
    static var discoverySource: Self {
        Self(
            unit: "URL",
            range: "file, dns, dns+srv, consul, consul+https, k8s",
            expected: DiscoverySource.forms,
            parse: { try? DiscoverySource(parsing: $0) },
            format: \.description,
            reason: { text in
                do throws(DiscoverySourceError) {
                    _ = try DiscoverySource(parsing: text)
                    return nil
                } catch {
                    return error.reason
                }
            },
            schema: .text("(file|dns|dns\\+srv|consul|consul\\+https|k8s)://.*")
        )
    }
}
