// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0

import PackageDescription

let strictSettings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("NonisolatedNonsendingByDefault"),
    .enableExperimentalFeature("Lifetimes"),
    .treatAllWarnings(as: .error),
]

/// Leaves read bytes that strangers sent: every unsafe expression in them is marked.
let leafSettings = strictSettings + [.strictMemorySafety()]

/// For programs that ship: half of the relocations' room, and no table of symbols that nobody links with; three of 26 MB.
/// What runs at a start lies side by side (Benchmarks/order.py): 5 to 6 MiB less of the program are resident.
/// A package that depends on Weir may not use flags like these, and does not meet them: they belong to no library.
let programSettings: [LinkerSetting] = [
    .unsafeFlags(
        [
            "-use-ld=lld", "-Xlinker", "-z", "-Xlinker", "pack-relative-relocs", "-Xlinker", "--no-export-dynamic",
            "-Xlinker", "--symbol-ordering-file=\(Context.packageDirectory)/Sources/startup.order",
            "-Xlinker", "--no-warn-symbol-ordering",
        ],
        .when(configuration: .release)
    )
]

let package = Package(
    name: "weir",
    products: [
        .library(name: "Weir", targets: ["Weir"]),
        .library(name: "WeirDNS", targets: ["WeirDNS"]),
        .library(name: "WeirRedis", targets: ["WeirRedis"]),
        .executable(name: "weir", targets: ["WeirGateway"]),
        .executable(name: "hello", targets: ["Hello"]),
        .executable(name: "orders", targets: ["Orders"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.14.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        .target(name: "CWeirSystem"),
        .target(name: "WeirHost", dependencies: ["CWeirSystem"], swiftSettings: strictSettings),
        .target(name: "WeirMetrics", swiftSettings: leafSettings),
        .target(name: "WeirHTTP", swiftSettings: leafSettings),
        .target(name: "WeirRouting", swiftSettings: leafSettings),
        .target(name: "WeirFlow", swiftSettings: leafSettings),
        .target(name: "WeirDocument", swiftSettings: leafSettings),
        // Without pkgConfig: its flags are none that the compiler does not know by itself.
        .systemLibrary(name: "COpenSSL", providers: [.apt(["libssl-dev"])]),
        .target(name: "WeirTLS", dependencies: ["COpenSSL"], swiftSettings: leafSettings),
        .target(
            name: "WeirEventLoop",
            dependencies: ["CWeirSystem", "WeirMetrics"],
            swiftSettings: strictSettings
        ),
        .target(
            name: "WeirUpstream",
            dependencies: ["WeirEventLoop", "WeirMetrics", "WeirHTTP", "WeirTLS"],
            swiftSettings: strictSettings
        ),
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
        // Only the gateway uses it: a service that imports Weir does not need libsystemd.
        .systemLibrary(name: "CSystemd", pkgConfig: "libsystemd", providers: [.apt(["libsystemd-dev"])]),
        .target(
            name: "WeirSystemd",
            dependencies: ["CSystemd", "Weir", "WeirEventLoop", .product(name: "Logging", package: "swift-log")],
            swiftSettings: strictSettings
        ),
        // Only who asks for it, as for libsystemd. Without pkgConfig: the package's flags hold a -D, which SwiftPM refuses with
        // a warning, and none of the others is needed.
        .systemLibrary(name: "CHiredis", providers: [.apt(["libhiredis-dev"])]),
        .target(
            name: "WeirRedis",
            dependencies: ["CHiredis", "Weir", "WeirEventLoop", "WeirFlow", "WeirMetrics"],
            swiftSettings: strictSettings
        ),
        // Only who asks for it, as for libhiredis.
        .systemLibrary(name: "CCares", providers: [.apt(["libc-ares-dev"])]),
        .target(
            name: "WeirDNS",
            dependencies: ["CCares", "Weir", "WeirEventLoop", "WeirUpstream"],
            swiftSettings: strictSettings
        ),
        // Only the gateway reads a file: a service that imports Weir does not need libyaml. Without pkgConfig, as above.
        .systemLibrary(name: "CYAML", providers: [.apt(["libyaml-dev"])]),
        .target(name: "WeirYAML", dependencies: ["CYAML", "WeirDocument"], swiftSettings: leafSettings),
        // The service that the gateway stands in front of when it is told of no other.
        .target(name: "WeirDemo", dependencies: ["Weir"], swiftSettings: strictSettings),
        // `weir metrics-adapter`: what the HPA asks, and where that comes from.
        .target(
            name: "WeirAdapter",
            dependencies: [
                "CWeirSystem", "Weir", "WeirEventLoop", "WeirMetrics", "WeirTLS", "WeirUpstream",
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strictSettings
        ),
        .executableTarget(
            name: "WeirGateway",
            dependencies: [
                "Weir", "WeirAdapter", "WeirDNS", "WeirDemo", "WeirDocument", "WeirEventLoop", "WeirRedis",
                "WeirSystemd", "WeirTLS",
                "WeirUpstream",
                "WeirYAML",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strictSettings,
            linkerSettings: programSettings
        ),
        .executableTarget(
            name: "Hello",
            dependencies: ["Weir", "WeirDemo"],
            path: "Examples/Hello",
            swiftSettings: strictSettings,
            linkerSettings: programSettings
        ),
        .executableTarget(
            name: "Orders",
            dependencies: ["Weir"],
            path: "Examples/Orders",
            swiftSettings: strictSettings
        ),
        .executableTarget(
            name: "Replay",
            dependencies: ["Weir"],
            path: "Benchmarks/Replay",
            swiftSettings: strictSettings
        ),
        .executableTarget(
            name: "Micro",
            dependencies: ["WeirFlow", "WeirRouting", "WeirUpstream"],
            path: "Benchmarks/Micro",
            swiftSettings: strictSettings
        ),
        // What several test targets share; part of no product.
        .target(name: "WeirTestSupport", path: "Tests/Support", swiftSettings: strictSettings),
        // The admission pool's own sources over a memory that is stepped: `WeirFlow` there is a link to the sources.
        .target(name: "CFibers", path: "Tests/Fibers"),
        .target(
            name: "WeirFlowStepped",
            dependencies: ["CFibers"],
            path: "Tests/Stepped",
            exclude: ["Concurrency", "Deadlines", "Guard", "Limits", "Store"].map { "WeirFlow/\($0)" }
                + ["MemoryPressure", "PodUtilization", "UtilizationWindow"].map { "WeirFlow/Signals/\($0).swift" }
                + ["WeirFlow/Admission/ExecutionEstimate.swift"],
            swiftSettings: leafSettings
        ),
        .testTarget(name: "WeirHostTests", dependencies: ["WeirHost"], swiftSettings: strictSettings),
        .testTarget(
            name: "WeirMetricsTests",
            dependencies: ["WeirMetrics", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirHTTPTests",
            dependencies: ["WeirHTTP", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirRoutingTests",
            dependencies: ["WeirRouting", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirFlowTests",
            dependencies: ["WeirFlow", "WeirFlowStepped", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirTLSTests",
            dependencies: ["WeirTLS", "COpenSSL", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirYAMLTests",
            dependencies: ["WeirYAML", "WeirDocument", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirEventLoopTests",
            dependencies: ["WeirEventLoop", "CWeirSystem", "WeirHost", "WeirMetrics", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirUpstreamTests",
            dependencies: [
                "WeirUpstream", "WeirEventLoop", "WeirHTTP", "WeirMetrics", "WeirTLS", "CWeirSystem", "WeirTestSupport",
            ],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirDNSTests",
            dependencies: [
                "WeirDNS", "WeirUpstream", "WeirEventLoop", "WeirMetrics", "WeirTestSupport",
            ],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirTests",
            dependencies: [
                "Weir", "WeirHTTP", "WeirRouting", "WeirFlow", "WeirMetrics", "WeirEventLoop", "WeirUpstream",
                "WeirHost", "WeirDocument", "WeirYAML",
                "WeirTestSupport",
                .product(name: "Logging", package: "swift-log"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
            ],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirGatewayTests",
            dependencies: [
                "WeirGateway", "Weir", "WeirTestSupport", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirAdapterTests",
            dependencies: ["WeirAdapter", "Weir", "WeirEventLoop", "WeirTLS", "WeirUpstream", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirSystemdTests",
            dependencies: [
                "WeirSystemd", "Weir", "WeirEventLoop", .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: strictSettings
        ),
        .testTarget(
            name: "WeirRedisTests",
            dependencies: ["WeirRedis", "WeirEventLoop", "WeirFlow", "WeirMetrics", "CHiredis", "WeirTestSupport"],
            swiftSettings: strictSettings
        ),
    ]
)

// The plugin that `make docs` uses; nobody who depends on Weir fetches it.
if Context.environment["WEIR_DOCS"] != nil {
    package.dependencies.append(.package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0"))
}
