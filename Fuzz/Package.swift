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
    dependencies: [
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
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
        .target(name: "WeirDocument", swiftSettings: settings),
        .target(
            name: "Weir",
            dependencies: [
                "CWeirSystem", "WeirHost", "WeirMetrics", "WeirHTTP", "WeirRouting", "WeirFlow", "WeirDocument",
                "WeirEventLoop", "WeirTLS", "WeirUpstream",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "Configuration", package: "swift-configuration"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strictSettings
        ),
        .systemLibrary(name: "CCares", providers: [.apt(["libc-ares-dev"])]),
        .target(
            name: "WeirDNS",
            dependencies: ["CCares", "Weir", "WeirEventLoop", "WeirUpstream"],
            swiftSettings: strictSettings
        ),
        .systemLibrary(name: "CYAML"),
        .target(name: "WeirYAML", dependencies: ["CYAML", "WeirDocument"], swiftSettings: settings),
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(
            name: "WeirRedis",
            dependencies: ["CHiredis", "Weir", "WeirEventLoop", "WeirFlow", "WeirMetrics"],
            swiftSettings: strictSettings
        ),
        .target(
            name: "WeirAdapter",
            dependencies: [
                "CWeirSystem", "Weir", "WeirEventLoop", "WeirMetrics", "WeirTLS", "WeirUpstream",
                .product(name: "Logging", package: "swift-log"),
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
        fuzzer("ConsulRegistrationFuzz", "Weir", "WeirUpstream"),
        fuzzer("QueryFuzz", "Weir"),
        fuzzer("ServiceAnswerFuzz", "WeirDNS", "WeirEventLoop"),
        fuzzer("ClientHelloFuzz", "WeirTLS"),
        fuzzer("CertificateFileFuzz", "WeirTLS"),
        fuzzer("RedisReplyFuzz", "WeirRedis"),
        fuzzer("AdapterAnswerFuzz", "WeirAdapter", "WeirEventLoop", "WeirUpstream"),
        fuzzer("YAMLFuzz", "WeirYAML", "WeirDocument"),
        fuzzer("ConfigurationFuzz", "Weir", "WeirYAML"),
        fuzzer("MetricsRequestFuzz", "Weir", "WeirAdapter", "WeirEventLoop"),
        fuzzer("RetryAfterFuzz", "WeirEventLoop", "WeirUpstream"),
    ]
)
