// SPDX-License-Identifier: Apache-2.0
// Reads settings from environment variables and the configuration file, by the table, and checks them against each other.

import Configuration
import FoundationEssentials
import WeirUpstream

extension Settings {
    /// Reads the `WEIR_*` variables of this process.
    ///
    /// - Throws: ``SettingsError`` for the first fault; see ``init(environment:)``. `WEIR_CONFIG` is one: only the gateway
    ///   reads a file, and settings that nobody reads must not be missed silently.
    public static func fromEnvironment() throws(SettingsError) -> Settings {
        let settings = try Settings(environment: ProcessInfo.processInfo.environment)
        try settings.refuseFile()
        return settings
    }

    /// Refuses a configuration file on behalf of a program that reads none.
    package func refuseFile() throws(SettingsError) {
        if configurationFile.isEmpty { return }
        throw .refused(
            name: "WEIR_CONFIG",
            value: configurationFile,
            reason: "this program reads no configuration file; set its settings as variables"
        )
    }

    /// Reads the `WEIR_*` variables of `environment`; each that is missing or empty keeps its default.
    ///
    /// Blanks around a value are ignored. Variables that Kubernetes injects for a Service whose name begins with
    /// `weir` are ignored too. Every other `WEIR_*` variable that is no setting is a fault, an empty one also: a
    /// mistyped limit must not be silently off, and the template that leaves it empty today fills it tomorrow.
    ///
    /// - Throws: ``SettingsError``: the first unknown name in alphabetical order, else the first wrong value in the
    ///   table's order, else the first pair that does not fit together.
    public init(environment: [String: String]) throws(SettingsError) {
        try self.init(environment: environment, document: nil)
    }

    /// Reads the `WEIR_*` variables of `environment`, and what they leave open from the configuration file.
    ///
    /// - Throws: ``SettingsError`` as ``init(environment:)``; unknown names in the file come behind those of the
    ///   environment and before wrong values.
    package init(environment: [String: String], document: ConfigurationDocument?) throws(SettingsError) {
        self.init()
        try Self.checkNames(environment)
        let file = try Self.file(document)
        // An empty variable counts as not set: it must not hide what the file says.
        let variables = environment.filter { !$0.value.trimmingBlanks.isEmpty }
        var providers: [any ConfigProvider] = [EnvironmentVariablesProvider(environmentVariables: variables)]
        if let file { providers.append(file) }
        let reader = ConfigReader(providers: providers)
        for setting in Self.table {
            let isVariable = variables[setting.name] != nil
            let inFile = file?.values[setting.name]
            // The reader makes each key a variable's name again. Of all settings few are given.
            guard isVariable || inFile != nil, let raw = reader.string(forKey: setting.key) else { continue }
            let place = isVariable ? nil : inFile?.place
            guard setting.apply(String(raw.trimmingBlanks), &self) else { throw refusal(of: setting, raw, place) }
            readValues.values[setting.name] = ReadValues.Value(text: setting.text(self), place: place)
        }
        try checkPairs()
    }

    private static func file(_ document: ConfigurationDocument?) throws(SettingsError) -> SettingsFile? {
        guard let document else { return nil }
        return try SettingsFile(document)
    }

    /// Checks values that were set in code as those of the environment are.
    ///
    /// - Throws: ``SettingsError`` for the first value outside its range, or pair that does not fit together. Durations
    ///   that are not whole milliseconds are refused too.
    public func validate() throws(SettingsError) {
        var scratch = Settings()
        for setting in Self.table where !setting.apply(setting.text(self), &scratch) {
            throw setting.refusal(of: setting.text(self))
        }
        try checkPairs()
    }

    private static func checkNames(_ environment: [String: String]) throws(SettingsError) {
        let known = Self.table.map(\.name)
        let unknown = environment.filter { name, value in
            name.hasPrefix("WEIR_") && !known.contains(name) && !ServiceLink.matches(name, value: value)
        }
        guard let (name, value) = unknown.min(by: { $0.key < $1.key }) else { return }
        var nearest = NearestName.find(name, in: known, prefix: "WEIR_")
        if nearest == nil, name.hasSuffix("_PORT") {
            // Ports are set as addresses here; many look for a variable like this one first.
            nearest = known.first { $0 == name.dropLast(4) + "LISTEN" }
        }
        // A mistyped name may well hold what the right one keeps secret.
        let isSecret = Self.table.contains { $0.name == nearest && $0.isSecret }
        throw .unknown(name: name, value: isSecret ? Setting.mask : value.withoutUserInfo, nearest: nearest)
    }

    private func checkPairs() throws(SettingsError) {
        if drainTimeout < drainDelay {
            throw conflict("WEIR_DRAIN_TIMEOUT", "WEIR_DRAIN_DELAY", "a drain timeout not below the drain delay")
        }
        if case .exactly(let most) = workersMax, most < workersMin {
            throw conflict("WEIR_WORKERS", "WEIR_WORKERS_MIN", "a most number of workers not below the least")
        }
        if loopStuck < loopStall {
            throw conflict("WEIR_LOOP_STUCK", "WEIR_LOOP_STALL", "a time for stuck loops not below that for stalls")
        }
        if !tagHeader.isEmpty, tagHeader.lowercased() == deadlineHeader.lowercased() {
            throw conflict("WEIR_TAG_HEADER", "WEIR_DEADLINE_HEADER", "another field than that of the deadline")
        }
        if takesProxyProtocol, trustedProxies.isEmpty {
            throw conflict("WEIR_PROXY_PROTOCOL", "WEIR_TRUSTED_PROXIES", "the proxies that send the header")
        }
        try checkTLS()
        if upstream.tls.certificate.isEmpty != upstream.tls.key.isEmpty {
            throw conflict("WEIR_UPSTREAM_TLS_CERT", "WEIR_UPSTREAM_TLS_KEY", "a certificate and its key, or neither")
        }
        if !upstream.tls.verifies, !upstream.tls.authorities.isEmpty {
            throw conflict("WEIR_UPSTREAM_TLS_VERIFY", "WEIR_UPSTREAM_TLS_CA", "verification by the CA, or neither")
        }
        if upstream.consulTLS.certificate.isEmpty != upstream.consulTLS.key.isEmpty {
            throw conflict("WEIR_CONSUL_TLS_CERT", "WEIR_CONSUL_TLS_KEY", "a certificate and its key, or neither")
        }
        if admission.memoryCriticalPercent < admission.memoryShedPercent {
            throw conflict("WEIR_MEMORY_CRITICAL", "WEIR_MEMORY_SHED", "a share not below that for sheddable requests")
        }
        if !rateLimiting.redis.isEmpty, rateLimiting.scope == .pod {
            throw conflict("WEIR_REDIS", "WEIR_RATE_LIMIT_SCOPE", "the scope cluster, whose limits Redis counts")
        }
        for limit in rateLimiting.limits {
            guard let reason = rateLimiting.clusterFault(of: limit) else { continue }
            throw fault(of: "WEIR_RATE_LIMIT", "\(SettingsError.quoted(limit.shown)): \(reason)")
                ?? .refused(name: "WEIR_RATE_LIMIT", value: limit.shown, reason: reason)
        }
        // The kernel would let both bind (SO_REUSEPORT) and hand probes and requests to either at random.
        let taken = listen.map(\.withoutTLS)
        if adminListen.contains(where: { !$0.isChosenByKernel && taken.contains($0.withoutTLS) }) {
            throw conflict("WEIR_ADMIN_LISTEN", "WEIR_LISTEN", "different addresses for probes and for requests")
        }
    }

    func conflict(_ name: String, _ otherName: String, _ expected: String) -> SettingsError {
        let text = { name in Self.table.first { $0.name == name }?.shownText(self) ?? "" }
        for (name, other) in [(name, otherName), (otherName, name)] {
            let reason = "\(SettingsError.quoted(text(name))) with \(other)=\(SettingsError.quoted(text(other)))"
            if let fault = fault(of: name, "\(reason): expected \(expected)") { return fault }
        }
        return .conflict(
            name: name,
            value: text(name),
            otherName: otherName,
            otherValue: text(otherName),
            expected: expected
        )
    }

    /// A fault of a setting whose value is the file's; nil for any other.
    func fault(of name: String, _ reason: String) -> SettingsError? {
        readValues.values[name]?.place?.fault(reason)
    }

    /// What is said of a value that is not of its setting's form, which stands in the file or is a variable's.
    private func refusal(of setting: Setting, _ value: String, _ place: FilePlace?) -> SettingsError {
        guard let place else { return setting.refusal(of: value) }
        let shown = SettingsError.quoted(setting.isSecret ? Setting.mask : value)
        let reason = setting.reason(String(value.trimmingBlanks)) ?? "expected \(setting.expected)"
        return place.fault("\(shown): \(reason)")
    }
}

extension Setting {
    /// What is said of a value that is not of the form. A secret is not shown, wrong as it may be, nor a password that
    /// stands in a URL.
    func refusal(of value: String) -> SettingsError {
        if let reason = reason(String(value.trimmingBlanks)) {
            return .refused(name: name, value: value.withoutUserInfo, reason: reason)
        }
        return .invalid(name: name, value: isSecret ? Self.mask : value.withoutUserInfo, expected: expected)
    }

    /// The dotted key that swift-configuration turns back into the variable: `weir.drain.delay`.
    var key: ConfigKey {
        ConfigKey(name.lowercased().split(separator: "_").map(String.init))
    }
}
