// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct AuditCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "audit", abstract: "Who did what, newest first.",
        discussion: """
            EXAMPLES:
              kinto audit
              kinto audit --service hello --who ada
              kinto audit -n 1000 --json
            """)
    @OptionGroup var options: GlobalOptions
    @Option(help: "About this service.") var service: String?
    @Option(help: "By this user, token or local account.") var who: String?
    @Option(name: .short, help: "How many; 10000 at most.") var n = 50

    func run() async throws {
        var path = "/audit?limit=\(min(max(1, n), 10_000))"
        if let service { path += "&service=\(try service.inPath)" }
        if let who { path += "&who=\(try who.inPath)" }
        let list = try await options.client.call("GET", path)
        if options.json { return Output.json(list) }
        Output.table(
            [["WHEN", "WHO", "ROLE", "DOOR", "ACTION", "TARGET", "RESULT", "WHAT"]]
                + (list as? [[String: Any]] ?? []).map { entry in
                    [
                        AuditCommand.time(entry["at"]), entry["who"] as? String ?? "",
                        entry["role"] as? String ?? "-", entry["door"] as? String ?? "",
                        entry["action"] as? String ?? "", entry["target"] as? String ?? "",
                        entry["result"] as? String ?? "", entry["what"] as? String ?? "",
                    ].map(Output.safe)
                })
    }

    /// To the second.
    static func time(_ value: Any?) -> String { (value as? String).map { String($0.prefix(19)) } ?? "-" }
}
