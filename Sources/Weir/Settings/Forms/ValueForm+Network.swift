// SPDX-License-Identifier: Apache-2.0
// How endpoints, trusted networks, field names and secrets are written.

import WeirEventLoop
import WeirHTTP
import WeirUpstream

extension ValueForm where Value == [String] {
    /// Endpoints with commas between them, a source of endpoints, or nothing.
    static var endpoints: Self {
        let forms = "http://10.0.0.1:8080;weight=3, https://orders.shop.svc:8443 or unix:/run/orders.sock"
        return Self(
            unit: "endpoints",
            range: "at most \(EndpointURL.endpointsMax) endpoints, or one source",
            expected:
                "at most \(EndpointURL.endpointsMax) different endpoints such as \(forms); or \(DiscoverySource.forms)",
            parse: { text in
                if text.isEmpty { return [] }
                if DiscoverySource.isNamed(by: text) {
                    return (try? DiscoverySource(parsing: text)).map { [$0.description] }
                }
                return (try? EndpointURL.list(text))?.map(\.description)
            },
            format: { $0.joined(separator: ",") },
            reason: { text in
                if DiscoverySource.isNamed(by: text) { return ValueForm<DiscoverySource>.discoverySource.reason(text) }
                do throws(EndpointURLError) {
                    _ = try EndpointURL.list(text)
                    return nil
                } catch {
                    return error.description
                }
            },
            isList: true
        )
    }

    /// Paths of files with commas between them, or nothing.
    static func paths(atMost countMax: Int = Settings.TLS.pairsMax) -> Self {
        let bytesMax = 4095
        return Self(
            unit: "paths",
            range: "at most \(countMax) paths",
            expected: "at most \(countMax) paths of files with commas between them",
            parse: { text in
                if text.isEmpty { return [] }
                let items = text.split(separator: ",", omittingEmptySubsequences: false).map {
                    String($0.trimmingBlanks)
                }
                let arePaths = items.allSatisfy { !$0.isEmpty && $0.utf8.count <= bytesMax && !$0.utf8.contains(0) }
                return arePaths && items.count <= countMax ? items : nil
            },
            format: { $0.joined(separator: ",") },
            isList: true,
            schema: .word()
        )
    }

    /// Address blocks and words with commas between them, or nothing.
    static var networks: Self {
        Self(
            unit: "networks",
            range: "at most \(TrustedNetworks.blocksMax) blocks",
            expected: "address blocks such as 10.0.0.0/8 or fd00::/8, and the words \(TrustedNetworks.words)",
            parse: { text in
                if text.isEmpty { return [] }
                guard TrustedNetworks(text) != nil else { return nil }
                return text.split(separator: ",").map { String($0.trimmingBlanks) }
            },
            format: { $0.joined(separator: ",") },
            isList: true
        )
    }
}

extension ValueForm where Value == String {
    /// A header field's name that is not one of those that the engine reads, or nothing.
    static var fieldName: Self {
        Self(
            unit: "field name",
            range: "at most \(ChosenName.byteCountMax) bytes",
            expected: "a field name such as x-deadline, at most \(ChosenName.byteCountMax) bytes, unknown to Weir",
            parse: { text in text.isEmpty || ChosenName(text) != nil ? text : nil },
            format: { $0 },
            schema: .word()
        )
    }

    /// The directives of Strict-Transport-Security (RFC 6797 section 6.1) that there are, or nothing.
    static var strictTransport: Self {
        let bytesMax = 256
        return Self(
            unit: "field value",
            range: "at most \(bytesMax) bytes",
            expected: "max-age=SECONDS, and behind it, if wanted, ; includeSubDomains and ; preload",
            parse: { text in
                if text.isEmpty { return text }
                let directives = text.split(separator: ";", omittingEmptySubsequences: false).map {
                    $0.trimmingBlanks.lowercased()
                }
                let names = Set(directives.dropFirst())
                let age = directives[0].hasPrefix("max-age=") ? Int(decimal: directives[0].dropFirst(8)) : nil
                let areKnown = names.isSubset(of: ["includesubdomains", "preload"])
                let isWhole = age != nil && areKnown && names.count == directives.count - 1
                return isWhole && text.utf8.count <= bytesMax ? text : nil
            },
            format: { $0 }
        )
    }

    /// The place of a store, or nothing. What a place looks like, the store itself knows.
    static var storePlace: Self {
        let bytesMax = 1024
        return Self(
            unit: "URL",
            range: "at most \(bytesMax) bytes",
            expected: "redis://host:6379, redis://user:password@host:6379/0 or unix:/path, at most \(bytesMax) bytes",
            parse: { text in
                let isVisible = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
                return isVisible && text.utf8.count <= bytesMax ? text : nil
            },
            format: { $0 },
            shown: { $0.withoutUserInfo },
            schema: .word()
        )
    }

    /// Name servers, or nothing. What they look like, whoever asks them knows.
    static var nameServers: Self {
        let bytesMax = 1024
        return Self(
            unit: "list",
            range: "at most 8 addresses",
            expected: "name servers such as 10.0.0.10,127.0.0.1:5353,[fd00::10]:53",
            parse: { text in
                text.utf8.count <= bytesMax && text.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F } ? text : nil
            },
            format: { $0 }
        )
    }

    /// A Kubernetes API server, or nothing.
    static var apiServer: Self {
        Self(
            unit: "URL",
            range: "http, https",
            expected: "http://127.0.0.1:8001 or https://10.0.0.1:6443",
            parse: { text in text.isEmpty || KubernetesAPI(parsing: text) != nil ? text : nil },
            format: { $0 }
        )
    }

    /// The value of a label of Kubernetes, or nothing.
    static var zone: Self {
        let bytesMax = 63
        return Self(
            unit: "zone",
            range: "at most \(bytesMax) characters",
            expected: "a zone such as eu-central-1a, of at most \(bytesMax) letters, digits and - _ .",
            parse: { text in
                let isLabel = text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"):
                        true
                    default: "-_.".utf8.contains(byte)
                    }
                }
                return isLabel && text.utf8.count <= bytesMax ? text : nil
            },
            format: { $0 },
            schema: .word()
        )
    }

    /// The path of a file, or nothing.
    package static var path: Self {
        // PATH_MAX, with the zero at the end.
        let bytesMax = 4095
        return Self(
            unit: "path",
            range: "at most \(bytesMax) bytes",
            expected: "the path of a file, of at most \(bytesMax) bytes",
            parse: { text in text.utf8.count <= bytesMax && !text.utf8.contains(0) ? text : nil },
            format: { $0 },
            schema: .word()
        )
    }

    /// The version of a service, which is also the name of a file.
    static var version: Self {
        let lengths = 1...64
        return Self(
            unit: "version",
            range: "\(lengths.lowerBound) to \(lengths.upperBound) characters",
            expected: "\(lengths.lowerBound) to \(lengths.upperBound) letters, digits and . _ + -, not a dot first",
            parse: { text in
                let isName = text.utf8.allSatisfy { byte in
                    switch byte {
                    case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "z"),
                        UInt8(ascii: "A")...UInt8(ascii: "Z"):
                        true
                    default: ".-_+".utf8.contains(byte)
                    }
                }
                return lengths.contains(text.utf8.count) && isName && !text.hasPrefix(".") ? text : nil
            },
            format: { $0 },
            schema: .word()
        )
    }

    /// Visible ASCII that nobody guesses.
    static var secret: Self {
        let lengths = 16...512
        return Self(
            unit: "secret",
            range: "\(lengths.lowerBound) to \(lengths.upperBound) characters",
            expected: "\(lengths.lowerBound) to \(lengths.upperBound) visible ASCII characters",
            parse: { text in
                let isVisible = text.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F }
                return text.isEmpty || lengths.contains(text.utf8.count) && isVisible ? text : nil
            },
            format: { $0 },
            schema: .word()
        )
    }
}
