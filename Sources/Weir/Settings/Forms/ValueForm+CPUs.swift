// SPDX-License-Identifier: Apache-2.0
// Numbers of CPUs as Kubernetes writes them in resources: `500m`, `2`, `0.5`. Pure.

extension ValueForm where Value == Double? {
    /// CPUs to the thousandth; nothing, or none at all (what the downward API says of a request that is not set), is nil.
    static var cpus: Self {
        let mostMillis = 1_024_000
        return Self(
            unit: "CPUs",
            range: "1m to 1024",
            expected: "CPUs such as 500m, 2 or 0.5, from 1m to 1024",
            parse: { text in
                if text.isEmpty { return .some(nil) }
                guard let millis = millis(text), millis <= mostMillis else { return nil }
                return .some(millis == 0 ? nil : Double(millis) / 1000)
            },
            format: { cpus in cpus.map(format) ?? "" },
            schema: .number("[0-9]+(m|[.][0-9]{1,3})?")
        )
    }

    private static func millis(_ text: String) -> Int? {
        if text.hasSuffix("m") { return digits(text.dropLast()) }
        let parts = text.split(separator: ".", omittingEmptySubsequences: false)
        let fraction = parts.count == 2 ? parts[1] : "0"
        guard parts.count <= 2, 1...3 ~= fraction.utf8.count, let whole = digits(parts[0]),
            let thousandths = digits(fraction + String(repeating: "0", count: 3 - fraction.utf8.count))
        else { return nil }
        return 1000 * whole + thousandths
    }

    /// At most nine of them, so that what is made of them fits into an integer.
    private static func digits(_ text: some StringProtocol) -> Int? {
        1...9 ~= text.utf8.count ? Int(decimal: text) : nil
    }

    /// The text that `parse` reads as this number. One that is not whole in thousandths, as code may set it, has no such
    /// text: it is shown as Swift shows it, which `parse` refuses.
    private static func format(_ cpus: Double) -> String {
        let millis = (cpus * 1000).rounded()
        guard abs(millis) < 1e9, millis / 1000 == cpus, millis > 0 else { return "\(cpus) CPUs" }
        return Int(millis) % 1000 == 0 ? "\(Int(millis) / 1000)" : "\(Int(millis))m"
    }
}
