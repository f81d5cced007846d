// swift-tools-version: 6.2
import PackageDescription

// Warnings are errors where scripts/test says so, and not for users of a later compiler.
let strict: [SwiftSetting] =
    Context.environment["ATTENTION_PROBES_STRICT"] == nil ? [] : [.treatAllWarnings(as: .error)]

let settings: [SwiftSetting] =
    strict + [
        .strictMemorySafety(),
        .enableExperimentalFeature("Lifetimes"),
        .enableUpcomingFeature("ExistentialAny"),
        .enableUpcomingFeature("InternalImportsByDefault"),
    ]

let package = Package(
    name: "AttentionProbes",
    products: [
        .library(name: "AttentionProbes", targets: ["AttentionProbes", "Tensors"]),
        .executable(name: "attnprobe", targets: ["attnprobe"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/hummingbird-project/swift-mustache", from: "2.1.1"),
        .package(url: "https://github.com/swiftcsv/SwiftCSV", from: "0.10.0"),
    ],
    targets: [
        .systemLibrary(
            name: "COpenBLAS",
            path: "Modules/COpenBLAS",
            pkgConfig: "openblas",
            providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]
        ),
        .systemLibrary(
            name: "CZip", path: "Modules/CZip", pkgConfig: "libzip", providers: [.apt(["libzip-dev"])]),
        .target(name: "CKernels"),
        .target(name: "Tensors", dependencies: ["COpenBLAS", "CKernels", "CZip"], swiftSettings: settings),
        .target(
            name: "AttentionProbes",
            dependencies: [
                "Tensors", .product(name: "Mustache", package: "swift-mustache"),
                .product(name: "SwiftCSV", package: "SwiftCSV"),
            ],
            // The parts of report pages, in the binary so that a copy of it needs no other file.
            resources: [
                "page.css", "page.js", "documents.js", "page.mustache", "report.mustache",
                "comparison.mustache", "plot.mustache", "table.mustache",
            ].map { .embedInCode("Reports/Page/\($0)") },
            swiftSettings: settings),
        .executableTarget(
            name: "attnprobe",
            dependencies: [
                "AttentionProbes", "Tensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .executableTarget(
            name: "ProbeBenchmarks",
            dependencies: [
                "AttentionProbes", "Tensors",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["AttentionProbes", "Tensors"],
            path: "Tests/TestSupport",
            resources: [.copy("Golden")],
            swiftSettings: settings
        ),
        .testTarget(
            name: "TensorsTests", dependencies: ["Tensors", "TestSupport"], swiftSettings: settings),
        .testTarget(
            name: "AttentionProbesTests", dependencies: ["AttentionProbes", "Tensors", "TestSupport"],
            swiftSettings: settings),
        .testTarget(
            name: "CommandLineTests", dependencies: ["attnprobe", "AttentionProbes", "TestSupport"],
            swiftSettings: settings),
    ],
    swiftLanguageModes: [.v6]
)
