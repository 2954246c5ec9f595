// SPDX-License-Identifier: Apache-2.0
// How concurrency, rate limits and field names are written in settings. Pure.

import WeirFlow

extension ValueForm where Value == Settings.Concurrency {
    /// `64`, `256/cpu` or `auto`.
    static func concurrency(_ range: ClosedRange<Int>) -> Self {
        let number = ValueForm<Int>.number(range)
        let suffix = "/cpu"
        return Self(
            unit: "number, number per CPU or `auto`",
            range: number.range,
            expected: "auto, or \(number.expected), which may be for each CPU, such as 256\(suffix)",
            parse: { text in
                let text = text.lowercased()
                if text == "auto" { return .automatic }
                if text.hasSuffix(suffix) {
                    return number.parse(String(text.dropLast(suffix.count))).map { .perCPU($0) }
                }
                return number.parse(text).map { .exactly($0) }
            },
            format: { concurrency in
                switch concurrency {
                case .automatic: "auto"
                case .perCPU(let count): "\(count)\(suffix)"
                case .exactly(let count): "\(count)"
                }
            },
            schema: .integer(range, or: "^(auto|[0-9]+/cpu)$")
        )
    }
}

extension ValueForm where Value == [RateLimit] {
    /// Limits with commas between them, or nothing.
    static var rateLimits: Self {
        let countMax = RouteLimits.limitsMax
        return Self(
            unit: "rate limits",
            range: "at most \(countMax)",
            expected: "at most \(countMax) limits such as 100/s;burst=20;by=client",
            parse: { text in
                if text.isEmpty { return [] }
                guard let limits = try? RateLimit.parse(text), limits.count <= countMax else { return nil }
                return limits
            },
            format: { $0.map(\.description).joined(separator: ",") },
            reason: { text in
                do throws(RateLimitSyntaxError) {
                    _ = try RateLimit.parse(text)
                    return nil
                } catch {
                    return "\(error)"
                }
            },
            isList: true,
            schema: .texts
        )
    }
}
