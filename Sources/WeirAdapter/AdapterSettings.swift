// SPDX-License-Identifier: Apache-2.0
// The settings of `weir metrics-adapter`: WEIR_ADAPTER_* variables, beside those that every Weir service has. Pure.

package import Weir

/// What the adapter was told.
package struct AdapterSettings: Sendable {
    /// Where pods are watched; empty for all namespaces.
    package var namespaces: [String] = []
    /// Which pods are asked.
    package var selector = "weir.dev/metrics=true"
    /// The admin port of pods that do not say another by their annotation.
    package var adminPort = 9901
    /// A PEM file with the CAs of admin ports that speak TLS; empty for the system's.
    package var adminAuthorities = ""
    /// What their certificates are for; empty for the address of each pod.
    package var adminServerName = ""
    package var interval: Duration = .seconds(1)
    package var timeout: Duration = .seconds(1)
    package var window: Duration = .seconds(10)
    package var ageMax: Duration = .seconds(15)
    package var podsMax = 1000
    package var concurrency = 32
    package var servesExternal = false
    /// PEM files; empty where the adapter makes its own certificate.
    package var certificate = ""
    package var key = ""
    /// The Service in front of the adapter.
    package var service = "weir-metrics-adapter"
    /// Where that is; empty for the namespace of the service account.
    package var namespace = ""
    /// The Secret that replicas share their certificate by; empty for the service's name and `-tls`.
    package var secret = ""
    package var refresh: Duration = .seconds(60)
    /// Those of the engine; its requests are taken over TLS.
    package var engine = Settings()

    package init() {}

    /// Whether it makes its certificate itself.
    package var makesCertificate: Bool { certificate.isEmpty }

    package var secretName: String { secret.isEmpty ? "\(service)-tls" : secret }

    /// The engine's settings, with TLS on each address.
    package func engine(over options: ListenAddress.TLSOptions = .init()) -> Settings {
        var engine = engine
        engine.listen = engine.listen.map { address in
            guard case .tcp(let host, let port) = address else { return address }
            return .tls(host: host, port: port, own: options)
        }
        return engine
    }
}

/// One setting.
package struct AdapterSetting: Sendable {
    package let name: String
    private let unit: String
    private let range: String
    private let summary: String
    private let expected: String
    private let text: @Sendable (AdapterSettings) -> String
    fileprivate let apply: @Sendable (String, inout AdapterSettings) -> Bool

    fileprivate init<Value>(
        _ name: String,
        _ path: any WritableKeyPath<AdapterSettings, Value> & Sendable,
        _ form: ValueForm<Value>,
        _ summary: String
    ) {
        self.name = name
        unit = form.unit
        range = form.range
        expected = form.expected
        self.summary = summary
        text = { form.format($0[keyPath: path]) }
        apply = { text, settings in
            guard let value = form.parse(text) else { return false }
            settings[keyPath: path] = value
            return true
        }
    }

    fileprivate func refusal(of value: String) -> SettingsError {
        .invalid(name: name, value: value, expected: expected)
    }

    /// The row of the table in docs/adapter.md.
    package var documentationRow: String {
        let text = text(AdapterSettings())
        return "| `\(name)` | \(text.isEmpty ? "–" : "`\(text)`") | \(unit) | \(range) | \(summary) |"
    }
}

extension AdapterSettings {
    /// In the order in which they are documented and checked.
    package static let table = [
        AdapterSetting("WEIR_ADAPTER_NAMESPACES", \.namespaces, .namespaces, "Where pods are watched; none for all"),
        AdapterSetting("WEIR_ADAPTER_SELECTOR", \.selector, .selector, "Which pods are asked, by their labels"),
        AdapterSetting(
            "WEIR_ADAPTER_ADMIN_PORT",
            \.adminPort,
            .number(1...65_535),
            "The admin port of pods without the annotation `weir.dev/admin-port`"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_ADMIN_CA",
            \.adminAuthorities,
            .path,
            "A PEM file with certificates, one of which must have signed that of an admin port that speaks TLS; without, "
                + "the system's"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_ADMIN_SERVER_NAME",
            \.adminServerName,
            .objectName,
            "What the certificates of such admin ports are for; none for the address of each pod"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_INTERVAL",
            \.interval,
            .duration(.milliseconds(100) ... .seconds(60)),
            "How often each pod is asked"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_TIMEOUT",
            \.timeout,
            .duration(.milliseconds(10) ... .seconds(60)),
            "How long an answer, and a connection, may take"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_WINDOW",
            \.window,
            .duration(.seconds(1) ... .seconds(600)),
            "Over how long means and rates are"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_AGE",
            \.ageMax,
            .duration(.seconds(1) ... .seconds(600)),
            "A pod whose newest answer is older is missing"
        ),
        AdapterSetting("WEIR_ADAPTER_PODS", \.podsMax, .number(1...10_000), "The most pods that are asked"),
        AdapterSetting(
            "WEIR_ADAPTER_CONCURRENCY",
            \.concurrency,
            .number(1...1000),
            "The most pods that are asked at one time"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_EXTERNAL",
            \.servesExternal,
            .flag,
            "Whether `external.metrics.k8s.io` is served, too; KEDA owns it where that is installed"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_CERTIFICATE",
            \.certificate,
            .path,
            "A PEM file with the certificate, of cert-manager for example; without, the adapter makes one"
        ),
        AdapterSetting("WEIR_ADAPTER_KEY", \.key, .path, "A PEM file with its private key"),
        AdapterSetting("WEIR_ADAPTER_SERVICE", \.service, .objectName, "The Service in front of the adapter"),
        AdapterSetting(
            "WEIR_ADAPTER_NAMESPACE",
            \.namespace,
            .objectName,
            "The namespace of the Service and the Secret; none for that of the service account"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_SECRET",
            \.secret,
            .objectName,
            "The Secret by which replicas share the certificate; none for the Service's name and `-tls`"
        ),
        AdapterSetting(
            "WEIR_ADAPTER_REFRESH",
            \.refresh,
            .duration(.seconds(1) ... .seconds(3600)),
            "How often the front proxy's CA, the Secret and `caBundle` are looked at"
        ),
    ]

    private static let prefix = "WEIR_ADAPTER_"

    /// Reads the variables of `environment`: ours, and the others as every Weir service does.
    ///
    /// - Throws: `SettingsError` for the first fault.
    package init(environment: [String: String]) throws(SettingsError) {
        let names = Self.table.map(\.name)
        let own = environment.filter { $0.key.hasPrefix(Self.prefix) && !ServiceLink.matches($0.key, value: $0.value) }
        if let (name, value) = own.filter({ !names.contains($0.key) }).min(by: { $0.key < $1.key }) {
            throw .unknown(name: name, value: value, nearest: NearestName.find(name, in: names, prefix: Self.prefix))
        }
        for setting in Self.table {
            let text = String((own[setting.name] ?? "").trimmingBlanks)
            guard text.isEmpty || setting.apply(text, &self) else { throw setting.refusal(of: text) }
        }
        var rest = environment.filter { !$0.key.hasPrefix(Self.prefix) }
        let listen = rest["WEIR_LISTEN", default: ""]
        if listen.isEmpty { rest["WEIR_LISTEN"] = Self.listenDefault }
        // Before it is missed that there is no WEIR_TLS_CERT.
        if listen.contains("tls://") { throw Self.refusal(ofListen: listen) }
        engine = try Settings(environment: rest)
        try engine.refuseFile()
        try check()
    }

    private static let listenDefault = ":6443"

    private func check() throws(SettingsError) {
        if certificate.isEmpty != key.isEmpty {
            throw .conflict(
                name: "WEIR_ADAPTER_CERTIFICATE",
                value: certificate,
                otherName: "WEIR_ADAPTER_KEY",
                otherValue: key,
                expected: "a certificate and its key, or neither"
            )
        }
        guard interval <= ageMax else {
            throw .conflict(
                name: "WEIR_ADAPTER_INTERVAL",
                value: "\(interval)",
                otherName: "WEIR_ADAPTER_AGE",
                otherValue: "\(ageMax)",
                expected: "an interval not above the age"
            )
        }
        for address in engine.listen {
            if case .tcp = address { continue }
            throw Self.refusal(ofListen: address.description)
        }
    }

    private static func refusal(ofListen text: String) -> SettingsError {
        .refused(
            name: "WEIR_LISTEN",
            value: text,
            reason: "expected an address such as :6443; the adapter speaks TLS on it, with a certificate of its own"
        )
    }
}

extension ValueForm where Value == String {
    /// The name of an object of Kubernetes, or nothing.
    fileprivate static var objectName: Self {
        Self(
            unit: "name",
            range: "1 to 253 bytes",
            expected: "a name of small letters, digits, dashes and dots",
            parse: { isObjectName($0) ? $0 : nil },
            format: { $0 }
        )
    }

    fileprivate static var selector: Self {
        Self(
            unit: "label selector",
            range: "at most \(LabelSelector.bytesMax) bytes",
            expected: "a label selector such as weir.dev/metrics=true or tier in (web, api)",
            parse: { LabelSelector(parsing: $0) == nil ? nil : $0 },
            format: { $0 }
        )
    }

    fileprivate static func isObjectName(_ text: String) -> Bool {
        (1...253).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || "-.".utf8.contains(byte)
            }
    }
}

extension ValueForm where Value == [String] {
    /// Namespaces with commas between them, or nothing.
    fileprivate static var namespaces: Self {
        let countMax = 16
        return Self(
            unit: "names",
            range: "at most \(countMax) names",
            expected: "at most \(countMax) names of namespaces with commas between them",
            parse: { text in
                let items = text.split(separator: ",", omittingEmptySubsequences: false)
                let names = items.map { String($0.trimmingBlanks) }
                let areNames = names.allSatisfy { ValueForm<String>.isObjectName($0) }
                return areNames && Set(names).count == names.count && names.count <= countMax ? names : nil
            },
            format: { $0.joined(separator: ",") }
        )
    }
}
