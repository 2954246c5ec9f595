// SPDX-License-Identifier: Apache-2.0
// Everything that a gateway is told: settings, upstreams, pools and routes, read and checked whole. A plain value.

import WeirDocument
import WeirUpstream

/// What the environment and the configuration file say, with no fault in it. Immutable once it is made: a reload makes a
/// new one, and compares.
package struct GatewayConfiguration: Sendable, Equatable {
    package let settings: Settings

    /// In the order of the file, each name once. `default` is among them where `WEIR_UPSTREAM` lists endpoints.
    package private(set) var upstreams: [UpstreamConfiguration] = []

    /// In the order of the file, each name once; the pod's own pool is not among them.
    package private(set) var pools: [PoolConfiguration] = []

    /// In the order of the file. Where it has none, one for all requests to `default`; none at all without that.
    package private(set) var routes: [RouteConfiguration] = []

    /// Reads and checks everything.
    ///
    /// - Parameters:
    ///   - environment: the process's variables; each overrides the setting of its name in the file.
    ///   - document: the file, nil for none.
    /// - Throws: `SettingsError` for the first fault: of the settings, then of what the file says for itself, then of
    ///   what does not fit together.
    package init(environment: [String: String], document: ConfigurationDocument?) throws(SettingsError) {
        try self.init(settings: Settings(environment: environment, document: document))
        let file = document ?? ConfigurationDocument(file: settings.configurationFile, root: nil)
        // Not where there is nothing to read: the fields' forms are made by their first reader, a fourteenth of a start.
        if let document { try read(ReadingContext(document: document, settings: settings)) }
        try takeEndpoints(of: settings, file)
        try ReferenceCheck(self, file).run()
        try ReachabilityCheck(document: file).run(routes)
        addDefaultRoute()
    }

    /// What settings say without a file: all requests go to the endpoints of `WEIR_UPSTREAM`.
    package static func withoutFile(_ settings: Settings) -> GatewayConfiguration {
        var configuration = GatewayConfiguration(settings: settings)
        configuration.setDefaultEndpoints()
        configuration.addDefaultRoute()
        return configuration
    }

    /// The upstream of this name.
    package func upstream(_ name: String) -> UpstreamConfiguration? { upstreams.first { $0.name == name } }

    private init(settings: Settings) {
        self.settings = settings
    }

    private mutating func read(_ context: ReadingContext) throws(SettingsError) {
        for field in Self.fields {
            guard let node = context.document.root[field.name], !node.isNull else { continue }
            try field.read(node, FieldPath.root.key(field.name), context, &self)
        }
    }

    /// The setting's endpoints are those of `default`: a variable overrides the file, but the file cannot say it twice.
    private mutating func takeEndpoints(
        of settings: Settings,
        _ document: ConfigurationDocument
    ) throws(SettingsError) {
        guard !settings.upstream.endpoints.isEmpty else { return }
        let isInFile = settings.readValues.values["WEIR_UPSTREAM"]?.place != nil
        if isInFile, let known = upstream(Self.defaultUpstream), !known.endpoints.isEmpty || known.discover != nil {
            throw document.fault(
                FieldPath.root.key("upstreams").key(known.name),
                "its endpoints are those of upstream: already"
            )
        }
        setDefaultEndpoints()
    }

    private mutating func setDefaultEndpoints() {
        guard !settings.upstream.endpoints.isEmpty else { return }
        let index = upstreams.firstIndex { $0.name == Self.defaultUpstream } ?? upstreams.endIndex
        if index == upstreams.endIndex {
            upstreams.append(UpstreamConfiguration(settings))
            upstreams[index].name = Self.defaultUpstream
        }
        // Settings hold endpoints, and their source, as texts that were read once.
        upstreams[index].discover = settings.upstream.endpoints.first.flatMap { try? DiscoverySource(parsing: $0) }
        upstreams[index].endpoints = settings.upstream.endpoints.compactMap { try? EndpointURL(parsing: $0) }
    }

    private mutating func addDefaultRoute() {
        guard routes.isEmpty, upstream(Self.defaultUpstream) != nil else { return }
        var route = RouteConfiguration(settings)
        route.upstream = Self.defaultUpstream
        routes = [route]
    }

    /// The upstream of `WEIR_UPSTREAM`.
    static let defaultUpstream = "default"
}

extension GatewayConfiguration: ConfigurationObject {
    static let name = "top-level"
    static let summary = "What stands at the top of the file, beside settings."

    /// The keys that are no settings.
    static let sections = ["upstreams", "pools", "routes"]

    static let fields: [ConfigurationField<Self>] = [
        ConfigurationField(
            sections[0],
            \.upstreams,
            .mapping(
                of: NodeForm<UpstreamConfiguration>.object,
                named: .name(of: "name"),
                UpstreamConfiguration.countMax,
                UpstreamConfiguration.named
            ),
            "The upstreams by name"
        ),
        ConfigurationField(
            sections[1],
            \.pools,
            .mapping(
                of: NodeForm<PoolConfiguration>.object,
                named: .name(of: "name"),
                PoolConfiguration.countMax,
                PoolConfiguration.named
            ),
            "Pools that several routes share, by name"
        ),
        ConfigurationField(
            sections[2],
            \.routes,
            .list(of: NodeForm<RouteConfiguration>.object, 0...RouteConfiguration.countMax),
            "The routes; where there are none, all requests go to the upstream `default`"
        ),
    ]

    package init(_ settings: Settings) {
        self.init(settings: settings)
    }
}

extension UpstreamConfiguration {
    @Sendable fileprivate static func named(_ name: String, _ upstream: Self) -> Self {
        var upstream = upstream
        upstream.name = name
        return upstream
    }
}
