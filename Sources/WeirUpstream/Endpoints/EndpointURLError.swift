// SPDX-License-Identifier: Apache-2.0
// Why a text is no endpoint: what, in which text, and what would be right.

/// Why an endpoint, or a list of them, cannot be used. `url` is the endpoint's text as given.
package enum EndpointURLError: Error, Equatable, CustomStringConvertible, Sendable {
    case empty(position: Int)
    case missingScheme(url: String)
    case unknownScheme(url: String, scheme: String)
    case hasUserInfo(url: String)
    case hasPath(url: String, path: String)
    case hasQuery(url: String)
    case hasFragment(url: String)
    case emptyHost(url: String)
    case invalidHost(url: String, host: String)
    case invalidPort(url: String, port: String)
    case invalidPath(url: String, path: String)
    case pathTooLong(url: String, byteCount: Int, bytesMax: Int)
    case unknownOption(url: String, option: String)
    case repeatedOption(url: String, option: String)
    case invalidWeight(url: String, weight: String)
    case duplicate(url: String)
    case tooMany(count: Int, countMax: Int)

    /// The fault in one line without control characters.
    package var description: String {
        switch self {
        case .empty(let position):
            "endpoint \(position) of the list is empty; write http://host:port, or remove the comma"
        case .missingScheme(let url):
            "\(endpoint(url)) has no scheme; write http://host:port, https://host:port or unix:/path"
        case .unknownScheme(let url, let scheme):
            "\(endpoint(url)): scheme \(quoted(scheme)) is not known; write http://host:port, https://host:port or unix:/path"
        case .hasUserInfo(let url):
            "\(endpoint(url)) has a user name; write http://host:port alone"
        case .hasPath(let url, let path):
            "\(endpoint(url)) has a path; leave \(quoted(path)) out, requests keep their own"
        case .hasQuery(let url):
            "\(endpoint(url)) has a query; write http://host:port alone"
        case .hasFragment(let url):
            "\(endpoint(url)) has a fragment; write http://host:port alone"
        case .emptyHost(let url):
            "\(endpoint(url)) has no host; write http://host:port"
        case .invalidHost(let url, let host):
            "\(endpoint(url)): \(quoted(host)) is no host; write a name, 10.0.0.1 or [fd00::1]"
        case .invalidPort(let url, let port):
            "\(endpoint(url)): port \(quoted(port)) must be a whole number from 1 to 65535"
        case .invalidPath(let url, let path):
            "\(endpoint(url)): \(quoted(path)) is no absolute path; write unix:/run/service.sock"
        case .pathTooLong(let url, let byteCount, let bytesMax):
            "\(endpoint(url)): the path has \(byteCount) bytes; a Unix socket's has at most \(bytesMax)"
        case .unknownOption(let url, let option):
            "\(endpoint(url)): option \(quoted(option)) is not known; \";weight=3\" is"
        case .repeatedOption(let url, let option):
            "\(endpoint(url)) gives \(quoted(option)) twice; write it once"
        case .invalidWeight(let url, let weight):
            "\(endpoint(url)): weight \(quoted(weight)) must be a whole number from 1 to "
                + "\(EndpointURL.weightMax)"
        case .duplicate(let url):
            "\(endpoint(url)) is listed twice; remove one, and give the other a weight if it shall get more"
        case .tooMany(let count, let countMax):
            "the list has \(count) endpoints; at most \(countMax) are allowed"
        }
    }

    /// Between quotes, on one line, and cut where it is very long.
    private func quoted(_ text: String) -> String {
        let charactersMax = 200
        let isCut = text.unicodeScalars.count > charactersMax
        var line = "\""
        for scalar in text.unicodeScalars.prefix(charactersMax) {
            // Nothing but visible ASCII belongs in an endpoint, save in a socket's path.
            switch scalar {
            case "\"", "\\": line += "\\\(scalar)"
            case " "..."~": line.unicodeScalars.append(scalar)
            default: line += "\\u{\(String(scalar.value, radix: 16))}"
            }
        }
        return line + (isCut ? "…\"" : "\"")
    }

    /// The endpoint as it may stand in a log.
    private func endpoint(_ url: String) -> String { "endpoint \(quoted(url.withoutUserInfo))" }
}
