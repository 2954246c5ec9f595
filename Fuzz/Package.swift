// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
// A package of its own, because a fuzzer has no `main` and would not link in the main package. The parts under test are
// links to its folders, so that their `package` declarations belong to this package too.

import PackageDescription

/// As in ../Package.swift.
let strictSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]
let settings = strictSettings + [.strictMemorySafety()]

/// A fuzzer's entry is `LLVMFuzzerTestOneInput`; libFuzzer brings `main`.
func fuzzer(_ name: String, _ subjects: String...) -> Target {
    .executableTarget(
        name: name,
        dependencies: subjects.map { .target(name: $0) } + ["FuzzSupport"],
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
    )
}

let package = Package(
    name: "weir-fuzz",
    targets: [
        .target(name: "CWeirSystem"),
        .target(name: "WeirHost", dependencies: ["CWeirSystem"], swiftSettings: strictSettings),
        .target(name: "WeirMetrics", swiftSettings: settings),
        .target(name: "WeirEventLoop", dependencies: ["CWeirSystem", "WeirMetrics"], swiftSettings: strictSettings),
        .target(name: "WeirHTTP", swiftSettings: settings),
        .target(name: "WeirRouting", swiftSettings: settings),
        .target(name: "WeirFlow", swiftSettings: settings),
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .target(name: "WeirTLS", dependencies: ["COpenSSL"], swiftSettings: settings),
        .target(
            name: "WeirUpstream",
            dependencies: ["WeirEventLoop", "WeirMetrics", "WeirHTTP", "WeirTLS"],
            swiftSettings: strictSettings
        ),
        .systemLibrary(name: "CCares", providers: [.apt(["libc-ares-dev"])]),
        .target(
            name: "WeirDNS",
            dependencies: ["CCares", "WeirEventLoop", "WeirUpstream"],
            // What offers it to an app: Weir is not here.
            exclude: ["NameResolution+DNS.swift"],
            swiftSettings: strictSettings
        ),
        .target(name: "WeirDocument", swiftSettings: settings),
        .systemLibrary(name: "CYAML"),
        .target(name: "WeirYAML", dependencies: ["CYAML", "WeirDocument"], swiftSettings: settings),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(
            name: "WeirRedis",
            dependencies: ["CHiredis", "WeirFlow"],
            // The rest is for a loop.
            sources: ["ReplyReader.swift"],
            swiftSettings: strictSettings
        ),
        .target(
            name: "WeirAdapter",
            dependencies: ["WeirEventLoop", "WeirTLS", "WeirUpstream"],
            // What runs it as an app, and answers as one: Weir is not here.
            exclude: [
                "Running", "AdapterSettings.swift", "API/KubernetesDocuments.swift", "API/MetricsAPI.swift",
                "API/MetricsRequest.swift", "API/OpenAPIDocuments.swift",
            ],
            swiftSettings: strictSettings
        ),
        .target(
            name: "WeirConsul",
            dependencies: ["WeirEventLoop", "WeirUpstream"],
            // What answers as an app does: Weir is not here.
            exclude: [
                "Consul/BlockedQuery.swift", "Consul/ConsulAPI.swift", "Consul/ConsulAPI+Agent.swift",
                "Consul/ConsulAPI+Catalog.swift", "Consul/ConsulNode.swift",
            ],
            swiftSettings: strictSettings
        ),
        .target(name: "FuzzSupport", swiftSettings: settings),
        fuzzer("PlantedFuzz"),
        fuzzer("GrammarFuzz", "WeirHTTP"),
        fuzzer("RequestParserFuzz", "WeirHTTP"),
        fuzzer("ResponseParserFuzz", "WeirHTTP"),
        fuzzer("ChunkedDecoderFuzz", "WeirHTTP"),
        fuzzer("ForwardedFuzz", "WeirHTTP"),
        fuzzer("RouteTableFuzz", "WeirRouting"),
        fuzzer("RoutePatternFuzz", "WeirRouting"),
        fuzzer("RateLimitFuzz", "WeirFlow"),
        fuzzer("HostFilesFuzz", "WeirHost"),
        fuzzer("ProxyProtocolFuzz", "WeirEventLoop"),
        fuzzer("DeadlineFuzz", "WeirFlow"),
        fuzzer("EndpointFileFuzz", "WeirUpstream"),
        fuzzer("EndpointSliceFuzz", "WeirUpstream"),
        fuzzer("ConsulAnswerFuzz", "WeirUpstream"),
        fuzzer("ConsulRegistrationFuzz", "WeirConsul", "WeirUpstream"),
        fuzzer("QueryFuzz", "WeirConsul"),
        fuzzer("ServiceAnswerFuzz", "WeirDNS", "WeirEventLoop"),
        fuzzer("ClientHelloFuzz", "WeirTLS"),
        fuzzer("CertificateFileFuzz", "WeirTLS"),
        fuzzer("RedisReplyFuzz", "WeirRedis"),
        fuzzer("AdapterAnswerFuzz", "WeirAdapter", "WeirEventLoop", "WeirUpstream"),
        fuzzer("YAMLFuzz", "WeirYAML", "WeirDocument"),
    ]
)
