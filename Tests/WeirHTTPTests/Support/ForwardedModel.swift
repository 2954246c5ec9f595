// SPDX-License-Identifier: Apache-2.0
// What a gateway passes on, found slowly and plainly: lines are strings, sets are sets.

import WeirHTTP

enum ForwardedModel {
    static let hopByHop: Set<String> = [
        "connection", "keep-alive", "proxy-authenticate", "proxy-authentication-info", "proxy-authorization",
        "proxy-connection", "te", "transfer-encoding", "upgrade",
    ]

    /// The runs of `head`, which is a whole head with valid lines.
    static func runs(_ head: String, omitting omitted: [HeaderName], withoutBody: Bool = false) -> [String] {
        let lines = head.split(separator: "\r\n").dropFirst().map(String.init)
        var gone = hopByHop.union(omitted.map { "\($0.text)" })
        if withoutBody { gone.insert("content-length") }
        let known = Set(HeaderName.allCases.map { "\($0.text)" })
        for line in lines where name(line) == "connection" {
            let options = line.dropFirst("connection:".count).split(separator: ",").map {
                String($0).trimmingBlanks.lowercased()
            }
            gone.formUnion(options.filter { !["", "close"].contains($0) && !known.contains($0) })
        }
        var runs: [String] = []
        var isOpen = false
        for line in lines {
            let name = name(line)
            let kind: HeaderName = isLookalike(name) ? .lookalike : .other
            let stays = !gone.contains(name) && (known.contains(name) || !omitted.contains(kind))
            if stays, isOpen {
                runs[runs.count - 1] += line + "\r\n"
            } else if stays {
                runs.append(line + "\r\n")
            }
            isOpen = stays
        }
        return runs
    }

    private static func isLookalike(_ name: String) -> Bool {
        let read = String(name.map { $0 == "_" ? "-" : $0 })
        return read != name && HeaderNameTests.guarded.contains { "\($0.text)" == read }
    }

    private static func name(_ line: String) -> String {
        line.prefix { $0 != ":" }.lowercased()
    }
}

extension String {
    fileprivate var trimmingBlanks: String {
        let blanks: Set<Character> = [" ", "\t"]
        let front = drop { blanks.contains($0) }
        return String(front.reversed().drop { blanks.contains($0) }.reversed())
    }
}
