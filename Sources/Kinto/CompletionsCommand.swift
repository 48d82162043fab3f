// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser

/// What a shell completes the command line with.
struct Completions: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Print what bash, zsh or fish completes kinto's command lines with.",
        discussion: """
            Names of services are asked of the server while something is typed.

            EXAMPLES:
              kinto completions bash > /etc/bash_completion.d/kinto
              kinto completions zsh > ~/.zfunc/_kinto          with fpath+=~/.zfunc before compinit
              kinto completions fish > ~/.config/fish/completions/kinto.fish
            """)
    @Argument(
        help: "bash, zsh or fish.", completion: .list(["bash", "zsh", "fish"]))
    var shell: String

    func validate() throws {
        guard shell == "services" || CompletionShell(rawValue: shell) != nil else {
            throw ValidationError("'\(shell)' is not bash, zsh or fish")
        }
    }

    func run() async throws {
        if let shell = CompletionShell(rawValue: shell) {
            return Output.line(Kinto.completionScript(for: shell))
        }
        // Asked by the scripts themselves: without a server there is nothing to propose, and nobody to tell.
        let services = try? await GlobalOptions.client(nil).services()
        for name in services ?? [] { Output.line(name) }
    }
}

extension CompletionKind {
    /// The names of the server's services.
    static var services: CompletionKind { .shellCommand("kinto completions services 2>/dev/null") }
}

extension ControlClient {
    fileprivate func services() async throws -> [String] {
        let list = try await call("GET", "/services") as? [[String: Any]] ?? []
        return Set(list.compactMap { $0["name"] as? String }).sorted()
    }
}
