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
        .library(name: "AttentionProbes", targets: ["AttentionProbes"]),
        .library(name: "attention_probes", type: .static, targets: ["CAttentionProbes"]),
        .executable(name: "attnprobe", targets: ["attnprobe"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0")
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
        .systemLibrary(
            name: "CZstd", path: "Modules/CZstd", pkgConfig: "libzstd", providers: [.apt(["libzstd-dev"])]),
        .target(name: "CKernels"),
        // Each may use those above it that it names, and no other: the compiler holds the arrows.
        .target(name: "Storage", dependencies: ["CZip", "CZstd"], swiftSettings: settings),
        .target(
            name: "Tensors", dependencies: ["COpenBLAS", "CKernels", "Storage"], swiftSettings: settings),
        .target(name: "Activations", dependencies: ["Storage", "Tensors"], swiftSettings: settings),
        .target(
            name: "ProbeMetrics", dependencies: ["Tensors", "Activations"],
            swiftSettings: settings),
        .target(
            name: "Probes", dependencies: ["Storage", "Tensors", "Activations", "ProbeMetrics"],
            swiftSettings: settings),
        .target(
            name: "ProbeTraining",
            dependencies: ["Storage", "Tensors", "Activations", "ProbeMetrics", "Probes"],
            swiftSettings: settings),
        .target(
            name: "ProbeSelection",
            dependencies: ["Storage", "Tensors", "Activations", "ProbeMetrics", "Probes", "ProbeTraining"],
            swiftSettings: settings),
        .target(
            name: "ProbeReports",
            dependencies: [
                "Storage", "Tensors", "Activations", "ProbeMetrics", "Probes", "ProbeTraining",
                "ProbeSelection",
            ],
            // The parts of report pages, in the binary so that a copy of it needs no other file.
            resources: [
                "page.css", "page.js", "documents.js", "page.mustache", "report.mustache",
                "documents.mustache", "comparison.mustache", "plot.mustache", "table.mustache",
            ].map { .embedInCode("Page/\($0)") },
            swiftSettings: settings),
        .target(
            name: "AttentionProbes",
            dependencies: [
                "Storage", "Tensors", "Activations", "ProbeMetrics", "Probes", "ProbeTraining",
                "ProbeSelection", "ProbeReports",
            ],
            swiftSettings: settings),
        // The commands and their options: what the command line runs, and the C interface with options as JSON.
        .target(
            name: "ProbeCommands",
            dependencies: [
                "AttentionProbes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings),
        // The C interface: its header, and the functions, of which scripts/install makes libattention_probes.so.
        .systemLibrary(name: "AttentionProbesHeader", path: "Sources/CAttentionProbes/include"),
        .target(
            name: "CAttentionProbes",
            dependencies: [
                "AttentionProbes", "ProbeCommands", "AttentionProbesHeader",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ], exclude: ["include"],
            swiftSettings: settings),
        .executableTarget(name: "attnprobe", dependencies: ["ProbeCommands"], swiftSettings: settings),
        .executableTarget(
            name: "ProbeBenchmarks",
            dependencies: [
                "AttentionProbes",
                .product(name: "ArgumentParser", package: "swift-argument-parser"),
            ],
            swiftSettings: settings
        ),
        .target(
            name: "TestSupport",
            dependencies: ["AttentionProbes"],
            path: "Tests/TestSupport",
            resources: [.copy("Golden"), .copy("Recorded")],
            swiftSettings: settings
        ),
    ]
        + [
            "Storage", "Tensors", "Activations", "ProbeMetrics", "Probes", "ProbeTraining", "ProbeSelection",
            "ProbeReports",
        ].map {
            .testTarget(
                name: $0 + "Tests", dependencies: ["AttentionProbes", "TestSupport"], swiftSettings: settings)
        }
        + [
            .testTarget(
                name: "CommandLineTests", dependencies: ["attnprobe", "AttentionProbes", "TestSupport"],
                swiftSettings: settings)
        ],
    swiftLanguageModes: [.v6]
)
