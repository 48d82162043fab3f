// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import KintoCore

struct CertificateCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certificate", abstract: "Certificates of the proxy.",
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Serve names over TLS, or replace their certificate; visitors notice nothing.",
            discussion: """
                The names are those in the certificate. With --folder kinto follows what your ACME client writes there,
                without a restart or a hook.

                EXAMPLES:
                  kinto certificate add example.com --chain fullchain.pem --key privkey.pem
                  certbot certonly --webroot -w HOME/acme -d example.com
                  kinto certificate add example.com --folder /etc/letsencrypt/live/example.com
                """)
        @OptionGroup var options: GlobalOptions
        @Argument(help: "What you call it; its main name, as a rule.") var name: String
        @Option(help: "PEM file: the certificate, then those that lead to its issuer.") var chain: String?
        @Option(help: "PEM file of the private key, without a password.") var key: String?
        @Option(help: "The directory of fullchain.pem and privkey.pem.") var folder: String?

        func validate() throws {
            guard (chain != nil && key != nil) != (folder != nil), (chain == nil) == (key == nil) else {
                throw ValidationError("give --chain and --key, or --folder")
            }
        }

        func run() async throws {
            var body: [String: Any] = [:]
            if let folder {
                body["folder"] = URL(fileURLWithPath: folder).standardizedFileURL.path
            } else {
                body["chain"] = try text(chain ?? "")
                body["key"] = try text(key ?? "")
            }
            let answer = try await options.client.call("PUT", "/certificates/\(try name.inPath)", body)
            if options.json { return Output.json(answer) }
            if !options.quiet { Output.line(CertificateView.line(answer as? [String: Any] ?? [:])) }
        }

        private func text(_ path: String) throws -> String {
            do { return try String(contentsOfFile: path, encoding: .utf8) } catch {
                throw Failure(code: "certificate", "\(path) cannot be read: \(error.localizedDescription)")
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "What there is, and for how long.")
        @OptionGroup var options: GlobalOptions

        func run() async throws {
            let answer = try await options.client.call("GET", "/certificates")
            if options.json { return Output.json(answer) }
            for certificate in answer as? [[String: Any]] ?? [] {
                Output.line(CertificateView.line(certificate))
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Serve its names without TLS again.")
        @OptionGroup var options: GlobalOptions
        @Argument var name: String

        func run() async throws {
            _ = try await options.client.call("DELETE", "/certificates/\(try name.inPath)")
            if !options.quiet { Output.line("certificate \(name) is removed") }
        }
    }
}

enum CertificateView {
    static func line(_ certificate: [String: Any]) -> String {
        let name = certificate["name"] as? String ?? ""
        let hosts = (certificate["hosts"] as? [String] ?? []).joined(separator: ", ")
        let problem =
            (certificate["problem"] as? String).map { "; what is in its folder is not used: \($0)" } ?? ""
        guard let days = certificate["daysLeft"] as? Int, let end = certificate["expiresAt"] as? String else {
            return "certificate \(name) is not served\(problem)"
        }
        let left = days < 0 ? "has expired" : days == 1 ? "1 day left" : "\(days) days left"
        return "certificate \(name): \(hosts) until \(end.prefix(10)) (\(left))\(problem)"
    }
}
