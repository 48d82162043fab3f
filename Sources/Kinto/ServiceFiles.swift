// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore

extension ServiceCommand {
    struct Export: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print what a service is, for another machine.",
            discussion: """
                Its repository, settings and environments, and its variables: of secrets only the names. With --with-secrets
                their values, the webhook secret and the keys of the repository, too, sealed with a passphrase
                (scrypt, AES-GCM), on the server itself.

                EXAMPLES:
                  kinto service export hello > hello.json
                  kinto service export hello --with-secrets > hello.json
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var passphrase: PassphraseOptions
        @Argument(completion: .services) var name: String
        @Flag(help: "Also what is secret, sealed.") var withSecrets = false

        func validate() throws {
            if passphrase.passphraseFrom != nil, !withSecrets {
                throw ValidationError("--passphrase-from goes with --with-secrets")
            }
        }

        func run() async throws {
            let phrase = withSecrets ? try passphrase.read(isNew: true) : nil
            var document =
                try await options.client.call(
                    "GET", "/services/\(name)/export\(withSecrets ? "?secrets=1" : "")") as? [String: Any]
                ?? [:]
            if let phrase {
                let secrets = try JSONSerialization.data(withJSONObject: document["secrets"] ?? [:])
                let sealed = try SealedText(
                    String(decoding: secrets, as: UTF8.self), passphrase: phrase, for: Import.place(document))
                document["sealed"] = try JSONSerialization.jsonObject(with: JSONEncoder().encode(sealed))
            }
            document["secrets"] = nil
            Output.json(document)
        }
    }

    struct Import: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Register a service from a file that 'export' wrote.",
            discussion: """
                All of it, or nothing. What was released elsewhere is not part of it: push, or deploy, afterwards.

                EXAMPLES:
                  kinto service import hello.json
                  kinto service import hello.json --name hello-next --repo https://example.com/team/hello.git
                  ssh old kinto service export hello | kinto service import -
                """)
        @OptionGroup var options: GlobalOptions
        @OptionGroup var passphrase: PassphraseOptions
        @Argument(help: "The file, or - for standard input.") var file: String
        @Option(name: .customLong("name"), help: "Another name.") var newName: String?
        @Option(help: "Another repository; empty: kinto makes one.") var repo: String?

        func validate() throws {
            if file == "-", passphrase.passphraseFrom == "-" {
                throw ValidationError("standard input cannot be both the file and the passphrase")
            }
        }

        /// What the secrets of a file belong to: they open in no other one.
        static func place(_ document: [String: Any]) -> String {
            "\(document["format"] as? String ?? "") \(document["version"] as? Int ?? 0) \(document["name"] as? String ?? "")"
        }

        func run() async throws {
            let text = try Input.text(file)
            guard var document = try? JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any],
                document["format"] as? String == "kinto-service"
            else {
                Output.trouble("\(file) was not written by 'kinto service export'")
                throw ExitCode(2)
            }
            if let sealed = document.removeValue(forKey: "sealed") {
                document["secrets"] = try open(sealed, Import.place(document))
            }
            var body: [String: Any] = ["service": document]
            body["name"] = newName
            body["repository"] = repo.map {
                $0.isEmpty || $0.contains(":") || $0.hasPrefix("/") ? $0 : URL(fileURLWithPath: $0).path
            }
            let answer = try await options.client.call("POST", "/import", body) as? [String: Any] ?? [:]
            if options.json { return Output.json(answer) }
            let added = answer["added"] as? [String: Any] ?? [:]
            if !options.quiet { Output.added(added) }
            let name = added["name"] as? String ?? ""
            for missing in answer["missing"] as? [String] ?? [] {
                let words = missing.split(separator: " ").map(String.init)
                guard words.count == 2 else { continue }
                Output.trouble(
                    "the file has no value of the secret \(words[1]): kinto config \(name) set -e \(words[0]) --secret \(words[1])"
                )
            }
        }

        private func open(_ sealed: Any, _ place: String) throws -> Any {
            let data = try JSONSerialization.data(withJSONObject: sealed, options: .fragmentsAllowed)
            guard let box = try? JSONDecoder().decode(SealedText.self, from: data) else {
                throw Failure(
                    code: "passphrase-wrong", "the secrets of \(file) are in a form that is not known")
            }
            let text = try box.open(passphrase: passphrase.read(isNew: false), for: place)
            return try JSONSerialization.jsonObject(with: Data(text.utf8))
        }
    }
}

/// Where a passphrase comes from: never from an argument.
struct PassphraseOptions: ParsableArguments {
    @Option(help: "A file with the passphrase, or - for standard input. Without: it is asked for.")
    var passphraseFrom: String?

    /// - Parameter isNew: is asked for twice.
    func read(isNew: Bool) throws -> String {
        if let passphraseFrom { return try Input.text(passphraseFrom) }
        // getpass(3) asks the terminal itself, whatever standard input is.
        guard access("/dev/tty", R_OK | W_OK) == 0, let first = ask("Passphrase (not shown): ") else {
            throw ValidationError(
                "there is no terminal to ask for the passphrase: --passphrase-from names a file")
        }
        if isNew, ask("The same again: ") != first {
            Output.trouble("the two are not the same")
            throw ExitCode(2)
        }
        return first
    }

    private func ask(_ prompt: String) -> String? {
        let terminal = Glibc.open("/dev/tty", O_RDWR | O_CLOEXEC)
        guard terminal >= 0 else { return nil }
        close(terminal)
        return getpass(prompt).map { String(cString: $0) }
    }
}
