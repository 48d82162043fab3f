// swift-tools-version: 6.2
// SPDX-License-Identifier: Apache-2.0
import PackageDescription

/// One set of settings for every target of ours: Swift 6 mode, warnings are errors.
let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .treatAllWarnings(as: .error),
]

/// Arrows point downwards only; `scripts/check-arrows` holds the sources to this list.
let package = Package(
    name: "kinto",
    products: [
        .executable(name: "kinto", targets: ["kinto"]),
        .executable(name: "kinto-runtime", targets: ["kinto-runtime"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: [
        // System libraries and the few kernel calls that Swift cannot import.
        .systemLibrary(name: "CGit2", pkgConfig: "libgit2", providers: [.apt(["libgit2-dev"])]),
        .systemLibrary(name: "CCurl", pkgConfig: "libcurl", providers: [.apt(["libcurl4-openssl-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CLinux"),
        // OpenSSL and nghttp2, loaded when they are needed.
        .target(name: "CTLS"),

        // The runtime: what serves visitors and owns services. No Foundation, no packages.
        .target(name: "Wire", dependencies: ["CLinux"], swiftSettings: settings),
        .target(name: "ReverseProxy", dependencies: ["Wire", "CLinux", "CTLS"], swiftSettings: settings),
        .target(name: "Supervisor", dependencies: ["Wire", "CLinux"], swiftSettings: settings),
        .target(name: "HookClient", dependencies: ["Wire"], swiftSettings: settings),
        .executableTarget(
            name: "kinto-runtime",
            dependencies: ["Wire", "ReverseProxy", "Supervisor", "HookClient"],
            path: "Sources/KintoRuntime",
            swiftSettings: settings),

        // The control process: what decides.
        .target(
            name: "KintoCore",
            dependencies: [
                "CLinux", "Wire", .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "GRDB", package: "GRDB.swift"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "Runner",
            dependencies: [
                "CGit2", "CLinux", "CZlib", "KintoCore", "Wire",
                .product(name: "Crypto", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .target(
            name: "HookReceiver",
            dependencies: [
                "CLinux", "KintoCore", "Wire", .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .target(name: "HTTPClient", dependencies: ["CCurl", "Wire"], swiftSettings: settings),
        .target(
            name: "Rollout", dependencies: ["KintoCore", "HTTPClient", "CLinux", "Wire"],
            swiftSettings: settings),
        .target(
            name: "Control",
            dependencies: [
                "CLinux", "HTTPClient", "KintoCore", "Runner", "HookReceiver", "Rollout", "Wire",
                .product(name: "Hummingbird", package: "hummingbird"),
                .product(name: "HummingbirdCore", package: "hummingbird"),
                .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "HTTPTypes", package: "swift-http-types"),
                .product(name: "ServiceLifecycle", package: "swift-service-lifecycle"),
                .product(name: "UnixSignals", package: "swift-service-lifecycle"),
                .product(name: "Crypto", package: "swift-crypto"),
                // scrypt, for passwords.
                .product(name: "CryptoExtras", package: "swift-crypto"),
                .product(name: "Logging", package: "swift-log"),
            ],
            swiftSettings: settings),
        .executableTarget(
            name: "kinto",
            dependencies: [
                "Control", "HTTPClient", "KintoCore", "Runner", "Wire",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
                .product(name: "Logging", package: "swift-log"),
            ],
            path: "Sources/Kinto",
            swiftSettings: settings),

        // A development tool: the load generator of the demo, the tests and the benchmarks.
        .executableTarget(
            name: "kinto-load", dependencies: ["Wire", "CLinux"], path: "Sources/KintoLoad",
            swiftSettings: settings),

        .target(
            name: "TestSupport", dependencies: ["Wire", "CLinux"], path: "Tests/TestSupport",
            swiftSettings: settings),
        .testTarget(name: "WireTests", dependencies: ["Wire", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "ReverseProxyTests",
            dependencies: [
                "ReverseProxy", "Wire", "TestSupport",
                // llhttp, to read the same bytes with.
                .product(name: "NIOCore", package: "swift-nio"),
                .product(name: "NIOEmbedded", package: "swift-nio"),
                .product(name: "NIOHTTP1", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "SupervisorTests", dependencies: ["Supervisor", "Wire", "TestSupport", "kinto-runtime"],
            swiftSettings: settings),
        .testTarget(
            name: "HookClientTests", dependencies: ["Wire", "TestSupport", "kinto-runtime"],
            swiftSettings: settings),
        .testTarget(
            name: "KintoCoreTests",
            dependencies: [
                "KintoCore", "Wire", "TestSupport", .product(name: "GRDB", package: "GRDB.swift"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RunnerTests", dependencies: ["Runner", "KintoCore", "Wire", "TestSupport", "kinto"],
            swiftSettings: settings),
        .testTarget(
            name: "HookReceiverTests",
            dependencies: [
                "HookReceiver", "KintoCore", "TestSupport", "Wire",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "RolloutTests",
            dependencies: ["Rollout", "KintoCore", "Wire", "TestSupport", "kinto-runtime"],
            swiftSettings: settings),
        .testTarget(
            name: "ControlTests",
            dependencies: [
                "Control", "HTTPClient", "KintoCore", "Supervisor", "Wire", "TestSupport",
                .product(name: "NIOCore", package: "swift-nio"),
            ],
            swiftSettings: settings),
        .testTarget(
            name: "ProxyDriverTests",
            dependencies: [
                "Rollout", "HTTPClient", "KintoCore", "Wire", "TestSupport", "kinto-runtime", "kinto-load",
            ],
            swiftSettings: settings),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "KintoCore", "Runner", "Wire", "HTTPClient", "TestSupport", "kinto", "kinto-runtime",
                "kinto-load",
                .product(name: "Crypto", package: "swift-crypto"),
            ],
            swiftSettings: settings),
    ]
)
