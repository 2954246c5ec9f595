// SPDX-License-Identifier: Apache-2.0
// Why Redis cannot be asked, for people: what the owner of a limiter logs. Nothing here shows a password.

/// What keeps a limiter from Redis.
package enum RedisProblem: Error, Equatable, CustomStringConvertible, Sendable {
    /// The name has no address now.
    case unresolved(url: String)
    /// No connection came about.
    case unreachable(url: String)
    /// A connection that stood has ended.
    case lost(url: String)
    /// Neither a connection nor an answer in time.
    case silent(url: String)
    /// A command was answered by an error, or by what is no answer to it.
    case refused(url: String, command: String, answer: String)
    /// What came is no reply of a Redis.
    case malformed(url: String)

    package var description: String {
        switch self {
        case .unresolved(let url): "\(url): the name has no address now"
        case .unreachable(let url): "\(url): no connection can be made"
        case .lost(let url): "\(url): the connection was lost"
        case .silent(let url): "\(url) does not answer"
        case .refused(let url, "AUTH", let answer):
            "\(url) refused the user or the password of WEIR_REDIS: \(answer)"
        case .refused(let url, _, let answer) where answer.hasPrefix("NOAUTH"):
            "\(url) wants a password; write redis://:password@host or redis://user:password@host: \(answer)"
        case .refused(let url, let command, let answer): "\(url) answered \(command) by: \(answer)"
        case .malformed(let url): "\(url) sent what is no reply of a Redis"
        }
    }

    /// An answer as a log may show it: one short line.
    static func shown(_ answer: String, to command: String) -> String {
        let scalarsMax = 120
        // Some servers repeat the arguments of a command that they do not know; to AUTH those are secret.
        let part = command == "AUTH" ? answer.prefix { $0 != " " } : answer[...]
        var line = ""
        for scalar in part.unicodeScalars.prefix(scalarsMax) {
            line.unicodeScalars.append((" "..."~").contains(scalar) ? scalar : "?")
        }
        return line
    }
}
