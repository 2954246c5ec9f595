// SPDX-License-Identifier: Apache-2.0
// Which objects are meant, by their labels: the form in which Kubernetes writes a selector in a query. Pure.

/// Requirements that all hold: `app=orders,tier in (web, api),!canary`.
package struct LabelSelector: Sendable, Equatable {
    package enum Requirement: Sendable, Equatable {
        case isIn(String, Set<String>)
        case isNotIn(String, Set<String>)
        case exists(String)
        case isAbsent(String)
        case isAbove(String, Int)
        case isBelow(String, Int)
    }

    /// The longest text that is read.
    package static let bytesMax = 4096

    package let requirements: [Requirement]

    /// Selects everything.
    package static let all = LabelSelector([])

    package init(_ requirements: [Requirement]) {
        self.requirements = requirements
    }

    /// Nil where the text is no selector; empty, it selects everything.
    package init?(parsing text: String) {
        guard text.utf8.count <= Self.bytesMax else { return nil }
        var requirements: [Requirement] = []
        for part in Self.parts(text) {
            guard let requirement = Self.requirement(part) else { return nil }
            requirements.append(requirement)
        }
        self.requirements = requirements
    }

    /// As a Service has it: each label with its value.
    package init(equal labels: [String: String]) {
        requirements = labels.sorted { $0.key < $1.key }.map { .isIn($0.key, [$0.value]) }
    }

    package func selects(_ labels: [String: String]) -> Bool {
        requirements.allSatisfy { requirement in
            switch requirement {
            case .isIn(let key, let values): labels[key].map { values.contains($0) } ?? false
            case .isNotIn(let key, let values): labels[key].map { !values.contains($0) } ?? true
            case .exists(let key): labels[key] != nil
            case .isAbsent(let key): labels[key] == nil
            case .isAbove(let key, let bound): labels[key].flatMap { Int($0) }.map { $0 > bound } ?? false
            case .isBelow(let key, let bound): labels[key].flatMap { Int($0) }.map { $0 < bound } ?? false
            }
        }
    }

    /// Split at commas that are in no brackets; an empty text has no part.
    private static func parts(_ text: String) -> [Substring] {
        guard !text.allSatisfy({ $0 == " " }) else { return [] }
        var parts: [Substring] = []
        var start = text.startIndex
        var depth = 0
        for index in text.indices {
            switch text[index] {
            case "(": depth += 1
            case ")": depth -= 1
            case "," where depth == 0:
                parts.append(text[start..<index])
                start = text.index(after: index)
            default: break
            }
        }
        return parts + [text[start...]]
    }

    private static func requirement(_ part: Substring) -> Requirement? {
        let text = trimmed(part)
        if text.hasPrefix("!") {
            let key = trimmed(text.dropFirst())
            return isKey(key) ? .isAbsent(String(key)) : nil
        }
        if text.hasSuffix(")"), let open = text.firstIndex(of: "(") {
            let words = text[..<open].split(separator: " ")
            let values = text[text.index(after: open)...].dropLast().split(
                separator: ",",
                omittingEmptySubsequences: false
            ).map { trimmed($0) }
            guard words.count == 2, isKey(words[0]), values.allSatisfy(isValue) else { return nil }
            switch words[1] {
            case "in": return .isIn(String(words[0]), Set(values.map(String.init)))
            case "notin": return .isNotIn(String(words[0]), Set(values.map(String.init)))
            default: return nil
            }
        }
        for sign in ["!=", "==", "=", ">", "<"] {
            guard let (key, value) = split(text, at: sign) else { continue }
            guard isKey(key), isValue(value) else { return nil }
            switch sign {
            case "!=": return .isNotIn(String(key), [String(value)])
            case ">": return Int(value).map { .isAbove(String(key), $0) }
            case "<": return Int(value).map { .isBelow(String(key), $0) }
            default: return .isIn(String(key), [String(value)])
            }
        }
        return isKey(text) ? .exists(String(text)) : nil
    }

    private static func split(_ text: Substring, at sign: String) -> (key: Substring, value: Substring)? {
        guard let first = text.firstIndex(where: { "!=<>".contains($0) }), text[first...].hasPrefix(sign) else {
            return nil
        }
        return (trimmed(text[..<first]), trimmed(text[first...].dropFirst(sign.count)))
    }

    private static func trimmed(_ text: Substring) -> Substring {
        var text = text
        while text.first == " " { text.removeFirst() }
        while text.last == " " { text.removeLast() }
        return text
    }

    /// `name` or `prefix/name`.
    private static func isKey(_ text: Substring) -> Bool {
        let parts = text.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count <= 2, let name = parts.last, !name.isEmpty, isValue(name) else { return false }
        return parts.count == 1 || (1...253).contains(parts[0].utf8.count) && isPlain(parts[0])
    }

    private static func isValue(_ text: Substring) -> Bool { text.utf8.count <= 63 && isPlain(text) }

    /// Letters and digits, with dots, dashes and underscores between them.
    private static func isPlain(_ text: Substring) -> Bool {
        func isLetter(_ byte: UInt8) -> Bool {
            (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
        }
        guard let first = text.utf8.first, let last = text.utf8.last else { return true }
        return isLetter(first) && isLetter(last) && text.utf8.allSatisfy { isLetter($0) || "-_.".utf8.contains($0) }
    }
}
