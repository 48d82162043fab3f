// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

struct Doctor: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Examine the installation; ends with 1 when something is not well.")
    @OptionGroup var options: GlobalOptions

    func run() async throws {
        let answer = try await options.client.call("GET", "/doctor")
        let findings = answer as? [[String: Any]] ?? []
        if options.json {
            Output.json(answer)
        } else {
            for finding in findings {
                let isWell = finding["isWell"] as? Bool == true
                if isWell, options.quiet { continue }
                let text = "\(finding["what"] as? String ?? ""): \(finding["detail"] as? String ?? "")"
                Output.line((isWell ? "       " : " !     ") + Output.safe(text))
                if !isWell, let fix = finding["fix"] as? String {
                    Output.line("       → \(Output.safe(fix))")
                }
            }
        }
        if findings.contains(where: { $0["isWell"] as? Bool != true }) { throw ExitCode(1) }
    }
}
