// SPDX-License-Identifier: Apache-2.0
// The text of rate limits in settings, such as `100/s;burst=20;by=client,10000/m`. Pure; used at start and reload.

/// Items are parted by commas, the options of an item by semicolons; spaces around them do not count.
///
/// | part | values | default |
/// |---|---|---|
/// | rate | `AMOUNT/[COUNT]UNIT`, 1 to 10⁹ per 1s to 365d; units `s m h d` | – |
/// | `burst` | 1 to 10⁹, refilled within 365d; not with `sliding-window` | the amount |
/// | `by` | `none client subject host route header:NAME param:NAME` | `none` |
/// | `algorithm` | `gcra sliding-window token-bucket` | `gcra` |
/// | `name` | 1 to 64 characters that RFC 9651 allows unescaped in a string | what `by` says, with a number if taken |
///
/// The default burst lets a client that was quiet have the amount of a period at once, as one reads `100/s`. In the
/// worst period it then gets twice the amount; a smaller burst spaces it more evenly.
package enum RateLimitSyntax {
    package static let nameBytesMax = 64
    package static let keyNameBytesMax = 128

    /// Whether a limit may be called this.
    package static func isName(_ name: String) -> Bool {
        1...nameBytesMax ~= name.utf8.count && name.utf8.allSatisfy(isUnescaped)
    }

    package static func parse(_ text: String) throws(RateLimitSyntaxError) -> [RateLimit] {
        var items: [Item] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            items.append(try Item(part, number: items.count + 1))
        }
        try giveNames(&items)
        var limits: [RateLimit] = []
        for item in items { limits.append(try item.limit()) }
        return limits
    }

    /// Names that are written come first; the others get what is free.
    private static func giveNames(_ items: inout [Item]) throws(RateLimitSyntaxError) {
        var numbers: [String: Int] = [:]
        for item in items {
            guard let name = item.name else { continue }
            if let other = numbers.updateValue(item.number, forKey: name) {
                throw RateLimitSyntaxError(.repeatedName(item: other), item: item.number, option: "name", text: name)
            }
        }
        for index in items.indices where items[index].name == nil {
            let kind = items[index].key.kind
            var name = kind
            var count = 1
            while numbers[name] != nil {
                count += 1
                name = "\(kind)-\(count)"
            }
            numbers[name] = items[index].number
            items[index].name = name
        }
    }
}

extension RateLimitKey {
    /// The name of a limit that has none.
    fileprivate var kind: String {
        switch self {
        case .none: "total"
        case .client: "client"
        case .subject: "subject"
        case .host: "host"
        case .route: "route"
        case .header: "header"
        case .parameter: "param"
        }
    }
}

/// One item as it is read.
private struct Item {
    let number: Int
    let rateText: String
    let rate: Rate
    var burst: UInt64?
    var burstText = ""
    var key = RateLimitKey.none
    var algorithm = RateLimitAlgorithm.gcra
    var name: String?

    init(_ text: Substring, number: Int) throws(RateLimitSyntaxError) {
        let parts = text.split(separator: ";", omittingEmptySubsequences: false).map(trimmed)
        self.number = number
        rateText = parts[0]
        if parts == [""] { throw RateLimitSyntaxError(.emptyItem, item: number, text: "") }
        rate = try Self.rate(rateText, item: number)
        var seen: Set<String> = []
        for part in parts.dropFirst() {
            guard let equals = part.firstIndex(of: "=") else {
                throw RateLimitSyntaxError(.missingValue, item: number, option: part, text: part)
            }
            let option = trimmed(part[..<equals])
            let value = trimmed(part[part.index(after: equals)...])
            try read(option, value, isNew: seen.insert(option).inserted)
        }
    }

    private mutating func read(_ option: String, _ value: String, isNew: Bool) throws(RateLimitSyntaxError) {
        func fail(_ problem: RateLimitSyntaxError.Problem) -> RateLimitSyntaxError {
            RateLimitSyntaxError(problem, item: number, option: option, text: value)
        }
        guard ["burst", "by", "algorithm", "name"].contains(option) else { throw fail(.unknownOption) }
        guard isNew else { throw fail(.repeatedOption) }
        guard !value.isEmpty else { throw fail(.missingValue) }
        switch option {
        case "burst":
            guard isNumber(value) else { throw fail(.malformedBurst) }
            guard let count = UInt64(value), RateLimit.bursts.contains(count) else { throw fail(.burstOutOfRange) }
            burst = count
            burstText = value
        case "by":
            key = try Self.key(value, fail)
        case "algorithm":
            switch value {
            case "gcra": algorithm = .gcra
            case "sliding-window": algorithm = .slidingWindow
            case "token-bucket": algorithm = .tokenBucket
            default: throw fail(.unknownAlgorithm)
            }
        default:
            guard RateLimitSyntax.isName(value) else {
                throw fail(.malformedName)
            }
            name = value
        }
    }

    private static func key(
        _ value: String,
        _ fail: (RateLimitSyntaxError.Problem) -> RateLimitSyntaxError
    ) throws(RateLimitSyntaxError) -> RateLimitKey {
        switch value {
        case "none": return .none
        case "client": return .client
        case "subject": return .subject
        case "host": return .host
        case "route": return .route
        default: break
        }
        guard let colon = value.firstIndex(of: ":") else { throw fail(.unknownKey) }
        let name = String(value[value.index(after: colon)...])
        let isShort = 1...RateLimitSyntax.keyNameBytesMax ~= name.utf8.count
        switch value[..<colon] {
        case "header":
            guard isShort, name.utf8.allSatisfy(isTokenByte) else { throw fail(.malformedHeaderName) }
            return .header(name.lowercased())
        case "param":
            guard isShort, name.utf8.allSatisfy({ 0x21...0x7E ~= $0 }) else { throw fail(.malformedParameterName) }
            return .parameter(name)
        default: throw fail(.unknownKey)
        }
    }

    private static func rate(_ text: String, item: Int) throws(RateLimitSyntaxError) -> Rate {
        func fail(_ problem: RateLimitSyntaxError.Problem) -> RateLimitSyntaxError {
            RateLimitSyntaxError(problem, item: item, text: text)
        }
        let parts = text.split(separator: "/", omittingEmptySubsequences: false).map(trimmed)
        guard parts.count == 2, isNumber(parts[0]), let unit = parts[1].last else { throw fail(.malformedRate) }
        let countText = String(parts[1].dropLast())
        guard countText.isEmpty || isNumber(countText) else { throw fail(.malformedRate) }
        let seconds: UInt64
        switch unit {
        case "s": seconds = 1
        case "m": seconds = 60
        case "h": seconds = 3600
        case "d": seconds = 86400
        default: throw fail(.unknownUnit)
        }
        guard let amount = UInt64(parts[0]), Rate.amounts.contains(amount) else { throw fail(.amountOutOfRange) }
        let (period, overflows) = (countText.isEmpty ? 1 : UInt64(countText) ?? .max)
            .multipliedReportingOverflow(by: seconds * Rate.second)
        guard !overflows, Rate.periods.contains(period) else { throw fail(.periodOutOfRange) }
        return Rate(amount: amount, period: period)
    }

    func limit() throws(RateLimitSyntaxError) -> RateLimit {
        if algorithm == .slidingWindow {
            if burst != nil {
                throw RateLimitSyntaxError(.burstOfSlidingWindow, item: number, option: "burst", text: burstText)
            }
            let most = SlidingWindow.amountMax(period: rate.period)
            if rate.amount > most {
                throw RateLimitSyntaxError(.amountOfSlidingWindow(most: most), item: number, text: rateText)
            }
        } else if let burst, !RateLimit.refills(burst, at: rate) {
            throw RateLimitSyntaxError(.burstRefillsTooSlowly, item: number, option: "burst", text: burstText)
        }
        return RateLimit(name: name ?? key.kind, algorithm: algorithm, rate: rate, burst: burst, key: key)
    }
}

private func trimmed(_ text: some StringProtocol) -> String {
    let isSpace = { (character: Character) in character == " " || character == "\t" }
    guard let first = text.firstIndex(where: { !isSpace($0) }),
        let last = text.lastIndex(where: { !isSpace($0) })
    else { return "" }
    return String(text[first...last])
}

private func isNumber(_ text: String) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { UInt8(ascii: "0")...UInt8(ascii: "9") ~= $0 }
}

/// RFC 9651, section 3.3.3: what stands in a string as it is.
private func isUnescaped(_ byte: UInt8) -> Bool {
    0x20...0x7E ~= byte && byte != UInt8(ascii: "\"") && byte != UInt8(ascii: "\\")
}

/// RFC 9110, section 5.6.2.
private func isTokenByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"):
        true
    default: "!#$%&'*+-.^_`|~".utf8.contains(byte)
    }
}
