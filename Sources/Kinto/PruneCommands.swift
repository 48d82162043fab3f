// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import KintoCore

/// What `kinto serve` keeps.
struct StorageOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            "What is kept, like artifacts=5, log-age=30d or free-bytes=2GiB; may be repeated.",
            discussion: "Names: \(RetentionSettings.names.joined(separator: ", ")). See docs/storage.md.",
            valueName: "name=value"))
    var keep: [String] = []
}

struct Prune: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Give back what is not needed: artifacts, logs and caches beyond what is kept.",
        discussion: """
            What is live, kept warm, pinned, under way, or where a rollback would go stays.

            EXAMPLES:
              kinto prune --dry-run
              kinto prune hello --keep 3
            """)
    @OptionGroup var options: GlobalOptions
    @Argument(help: "Only this service.") var name: String?
    @Flag(help: "Say only what would go.") var dryRun = false
    @Option(help: "So many artifacts of each environment beside that which is live.") var keep: Int?

    func run() async throws {
        var body: [String: Any] = ["dryRun": dryRun]
        body["service"] = name
        body["keep"] = keep
        let answer = try await options.client.call("POST", "/prune", body)
        if options.json { return Output.json(answer) }
        let freed = answer as? [String: Any] ?? [:]
        let items = freed["items"] as? [[String: Any]] ?? []
        if !options.quiet, !items.isEmpty {
            Output.table(
                items.map { item in
                    [
                        item["kind"] as? String ?? "", Bytes.text(item["bytes"]),
                        Output.safe(item["name"] as? String ?? ""),
                    ]
                })
        }
        let records = freed["records"] as? Int ?? 0
        Output.line(
            "\(dryRun ? "would free" : "freed") \(Bytes.text(freed["bytes"])) and \(records) rows of the record"
        )
    }
}

struct Pin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Keep a release's artifact and logs until it is unpinned.",
        discussion: "EXAMPLES:\n  kinto pin hello 12")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument var release: Int

    func run() async throws {
        _ = try await options.client.call(
            "POST", "/services/\(name)/releases/\(release)/pin?env=\(options.env)")
        if !options.quiet { Output.line("release \(release) of \(name) is kept") }
    }
}

struct Unpin: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a pinned release go when its time comes.")
    @OptionGroup var options: GlobalOptions
    @Argument(completion: .services) var name: String
    @Argument var release: Int

    func run() async throws {
        _ = try await options.client.call(
            "POST", "/services/\(name)/releases/\(release)/unpin?env=\(options.env)")
        if !options.quiet { Output.line("release \(release) of \(name) is not pinned any more") }
    }
}

/// Sizes for people.
enum Bytes {
    static func text(_ value: Any?) -> String {
        let bytes = (value as? Int64) ?? Int64(value as? Int ?? 0)
        for (unit, size) in [("GiB", Int64(1 << 30)), ("MiB", 1 << 20), ("KiB", 1 << 10)] where bytes >= size
        {
            let tenths = bytes / (size / 10)
            return "\(tenths / 10).\(tenths % 10) \(unit)"
        }
        return "\(bytes) B"
    }

    /// One line of `kinto status`.
    static func line(_ storage: [String: Any]) -> String {
        let parts = ["artifacts", "logs", "caches", "repositories", "database"].map {
            "\($0) \(text(storage[$0]))"
        }
        return
            "       home \(text(storage["home"])): \(parts.joined(separator: ", ")); free \(text(storage["free"]))"
    }
}
