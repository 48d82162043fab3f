// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport

/// A real mail server (aiosmtpd) on loopback, with TLS and passwords when it is asked to. Python's own reader says what is in
/// the mails that it took.
final class MailServer {
    enum Kind: String { case plain, starttls, smtps }

    /// What it took on, as Python's email package reads it.
    struct Mail: Decodable {
        let raw: String
        let sender: String
        let recipients: [String]
        let user: String?
        let isTLS: Bool
        let headers: [[String]]
        let body: String
        let defects: [String]
        /// Whether it said so, too.
        let answer: String

        func header(_ name: String) -> String? {
            headers.first { $0[0].lowercased() == name.lowercased() }?[1]
        }
    }

    let port: UInt16
    let password = "pass word of mail"
    private let server: Server
    private let place: String
    private let task: Task<Void, Never>

    /// PEM of who signed its certificate.
    var authorities: String { "\(place).pem" }
    var url: String { "\(kind == .smtps ? "smtps" : "smtp")://localhost:\(port)" }
    private let kind: Kind

    init(_ server: Server, _ name: String, _ kind: Kind) async throws {
        self.server = server
        self.kind = kind
        port = try FreePort.take()
        place = "\(server.root)/\(name)"
        let made = try await server.run(
            "/usr/bin/openssl",
            [
                "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
                "-days", "2",
                "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1",
                "-keyout", "\(place).key", "-out", "\(place).pem",
            ])
        guard made.status == 0 else { throw Trouble(made.output) }
        try "ok".write(toFile: "\(place).answer", atomically: true, encoding: .utf8)
        try MailServer.script.write(toFile: "\(place).py", atomically: true, encoding: .utf8)
        let (words, place) = (["\(place).py", "\(port)", place, kind.rawValue, password], place)
        task = Task { [server] in
            let end = try? await server.run("/usr/bin/python3", words)
            try? end?.output.write(toFile: "\(place).log", atomically: true, encoding: .utf8)
        }
        try await server.until { FileManager.default.fileExists(atPath: "\(place).ready") }
    }

    /// `ok`; `hold`: takes the message and never says so; `451 …`, `554 …`: says that after the message.
    func answer(_ text: String) throws {
        try text.write(toFile: "\(place).answer", atomically: true, encoding: .utf8)
    }

    func mails() -> [Mail] {
        let text = (try? String(contentsOfFile: "\(place).seen", encoding: .utf8)) ?? ""
        return text.split(separator: "\n").compactMap {
            try? JSONDecoder().decode(Mail.self, from: Data($0.utf8))
        }
    }

    func end() async {
        _ = FileManager.default.createFile(atPath: "\(place).end", contents: nil)
        await task.value
    }

    private static let script = """
        import asyncio, email, email.policy, json, os, ssl, sys
        from aiosmtpd.smtp import SMTP, AuthResult
        port, place, kind, password = int(sys.argv[1]), sys.argv[2], sys.argv[3], sys.argv[4]

        class Handler:
            async def handle_RCPT(self, server, session, envelope, address, options):
                if address.startswith("nobody@"): return "550 5.1.1 there is no such person"
                if address.startswith("later@"): return "451 4.7.1 greylisted, come back"
                envelope.rcpt_tos.append(address)
                return "250 OK"
            async def handle_DATA(self, server, session, envelope):
                answer = open(place + ".answer").read().strip()
                message = email.message_from_bytes(envelope.content, policy=email.policy.default)
                body = message.get_content()
                with open(place + ".seen", "a") as f:
                    f.write(json.dumps({
                        "raw": envelope.content.decode("latin-1"), "sender": envelope.mail_from,
                        "recipients": envelope.rcpt_tos, "isTLS": session.ssl is not None or kind == "smtps",
                        "user": session.auth_data.login.decode() if session.authenticated else None,
                        "headers": [[k, str(v)] for k, v in message.items()], "body": body,
                        "defects": [repr(d) for d in message.defects + [x for v in message.values() for x in v.defects]],
                        "answer": answer}) + "\\n")
                if answer == "hold": await asyncio.sleep(600)
                return "250 OK" if answer == "ok" else answer

        def check(server, session, envelope, mechanism, data):
            return AuthResult(success=data.login == b"kinto" and data.password == password.encode(), handled=False,
                              auth_data=data)

        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(place + ".pem", place + ".key")

        def session():
            if kind == "plain": return SMTP(Handler())
            return SMTP(Handler(), tls_context=context if kind == "starttls" else None, require_starttls=kind == "starttls",
                        auth_required=True, authenticator=check, auth_require_tls=kind == "starttls")

        async def main():
            loop = asyncio.get_running_loop()
            server = await loop.create_server(session, "127.0.0.1", port, ssl=context if kind == "smtps" else None)
            open(place + ".ready", "w").close()
            parent = os.getppid()
            while os.getppid() == parent and not os.path.exists(place + ".end"): await asyncio.sleep(0.1)
            os._exit(0)

        asyncio.run(main())
        """
}
