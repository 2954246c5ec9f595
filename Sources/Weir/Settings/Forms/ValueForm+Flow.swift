// SPDX-License-Identifier: Apache-2.0
// How concurrency, rate limits and field names are written in settings. Pure.

import WeirFlow
import WeirUpstream

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
            schema: .integer(range, or: "[Aa][Uu][Tt][Oo]|[0-9]+/[Cc][Pp][Uu]")
        )
    }
}

extension ValueForm where Value == Settings.Replicas {
    /// `3`, or `k8s://shop/weir`.
    static var replicas: Self {
        let number = ValueForm<Int>.number(1...100_000)
        return Self(
            unit: "number or URL",
            range: number.range,
            expected: "\(number.expected), or a Service such as k8s://shop/weir",
            parse: { text in
                if let count = number.parse(text) { return .fixed(count) }
                return KubernetesService(url: text).flatMap { $0.port == .only ? .counted(text) : nil }
            },
            format: { replicas in
                switch replicas {
                case .fixed(let count): "\(count)"
                case .counted(let url): url
                }
            },
            schema: .integer(1...100_000, or: "k8s://[a-z0-9-]+/[a-z0-9-]+")
        )
    }
}

extension Settings.Replicas {
    /// How many there are as long as nothing was counted.
    var first: Int { if case .fixed(let count) = self { count } else { 1 } }

    /// The service that has them; nil for a fixed number.
    var service: KubernetesService? { if case .counted(let url) = self { KubernetesService(url: url) } else { nil } }
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
            isList: true
        )
    }
}
