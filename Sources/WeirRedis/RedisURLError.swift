// SPDX-License-Identifier: Apache-2.0
// Why a text is no place of a store: what, and what would be right. Nothing here shows a password.

/// Why `WEIR_REDIS` cannot be used. `url` is the text without what stands before its last `@`.
package enum RedisURLError: Error, Equatable, CustomStringConvertible, Sendable {
    case unknownScheme(url: String)
    case tlsUnsupported(url: String)
    case unescapedCredentials(url: String)
    case missingPassword(url: String)
    case invalidHost(url: String)
    case invalidPort(url: String)
    case invalidDatabase(url: String)
    case hasQuery(url: String)
    case invalidPath(url: String)

    /// The fault in one line.
    package var description: String {
        switch self {
        case .unknownScheme(let url):
            "\(quoted(url)) is no place of a Redis; write redis://host:6379 or unix:/path"
        case .tlsUnsupported(let url):
            "\(quoted(url)): TLS to Redis is not supported yet; write redis:// for a plain connection"
        case .unescapedCredentials(let url):
            "\(quoted(url)): user and password must be percent-encoded where they hold any of @ : / ? # % [ ] or a blank"
        case .missingPassword(let url):
            "\(quoted(url)) has a user without a password; write redis://user:password@host or redis://:password@host"
        case .invalidHost(let url):
            "\(quoted(url)) has no host; write a name, 10.0.0.1 or [fd00::1] behind redis://"
        case .invalidPort(let url):
            "\(quoted(url)): the port must be a whole number from 1 to 65535"
        case .invalidDatabase(let url):
            "\(quoted(url)): the database behind the host must be a whole number from 0 to \(RedisURL.databaseMax)"
        case .hasQuery(let url):
            "\(quoted(url)) has a query or a fragment; write redis://host:6379/0 alone"
        case .invalidPath(let url):
            "\(quoted(url)) has no absolute path of at most \(RedisURL.unixPathBytesMax) bytes; write unix:/run/redis.sock"
        }
    }

    /// `text` as an error may show it: whatever may be a secret stands before an `@`.
    static func redacted(_ text: String) -> String {
        guard let at = text.lastIndex(of: "@") else { return text }
        let scheme = text.firstRange(of: "://").flatMap { $0.upperBound <= at ? text[..<$0.upperBound] : nil }
        return "\(scheme ?? "")***\(text[at...])"
    }

    /// Between quotes, on one line, and cut where it is very long.
    private func quoted(_ text: String) -> String {
        let scalarsMax = 200
        var line = "\""
        for scalar in text.unicodeScalars.prefix(scalarsMax) {
            switch scalar {
            case "\"", "\\": line += "\\\(scalar)"
            case " "..."~": line.unicodeScalars.append(scalar)
            default: line += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return line + (text.unicodeScalars.count > scalarsMax ? "…\"" : "\"")
    }
}
