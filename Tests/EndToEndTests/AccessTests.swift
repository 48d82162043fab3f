// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Who may do what, and who did it.
@Suite(.timeLimit(.minutes(20)))
struct AccessTests {
    /// Every operation is asked by every role, from the server's own document.
    @Test func noRoleDoesMoreThanTheDocumentSays() async throws {
        try await Server.with { server in
            try await server.setUp(AccessTests.still)
            try await server.push("first")
            let tokens = [
                "viewer": try await server.token("viewer"), "deployer": try await server.token("deployer"),
            ]
            let document = try await server.ask("GET", "/api/v1/openapi.json").json as? [String: Any]
            let before = try await state(server)
            var count = 0
            for (template, methods) in document?["paths"] as? [String: [String: Any]] ?? [:] {
                for (method, operation) in methods {
                    let security = (operation as? [String: Any])?["security"] as? [[String: [String]]] ?? []
                    guard let needed = security.first?["token"]?.first, template != "/api/v1/events" else {
                        continue
                    }
                    let path = template.replacingOccurrences(of: "{number}", with: "1")
                        .replacingOccurrences(of: "{environment}", with: "production")
                        .replacingOccurrences(of: "{name}", with: "hello")
                        .replacingOccurrences(of: "{id}", with: "1")
                    for (role, token) in tokens {
                        let mayNot = rank(role) < rank(needed)
                        // What may be asked is asked in a way that changes nothing: with a member that there is not.
                        let body = method == "get" ? nil : mayNot ? "{}" : #"{"nonsense":1}"#
                        let answer = try await server.ask(method.uppercased(), path, token: token, body: body)
                        let what = "\(role) \(method) \(path): \(answer.status) \(answer.text.prefix(200))"
                        #expect((answer.status == 403 && answer.code == "forbidden") == mayNot, "\(what)")
                        if mayNot { #expect(answer.text.contains("needs the role \(needed)"), "\(what)") }
                        count += 1
                    }
                }
            }
            #expect(count > 100)
            #expect(try await state(server) == before)
            #expect(try await server.ask("GET", "/api/v1/services", token: "kinto_no").status == 401)
            // Refusals are in the log, a few of them.
            let refused = try await server.audit("--who", "viewer").filter {
                $0["result"] as? String == "forbidden"
            }
            #expect(!refused.isEmpty && refused.count <= 60)
        }
    }

    /// The same for the forms of the dashboard, with cookies.
    @Test func theDashboardHoldsTheSameRoles() async throws {
        try await Server.with { server in
            try await server.setUp(AccessTests.still)
            try await server.push("first")
            let place = "/services/hello/production"
            let forms = [
                ("viewer", "\(place)/deploy"), ("viewer", "\(place)/releases/1/abort"),
                ("viewer", "\(place)/rollback"),
                ("viewer", "\(place)/config"), ("deployer", "/new-service"), ("deployer", "/accounts/users"),
                ("deployer", "/accounts/users/remove"), ("deployer", "/accounts/tokens"),
                ("deployer", "/accounts/tokens/remove"),
            ]
            for role in ["viewer", "deployer"] {
                let visitor = try await Visitor(server, ["token": server.token(role)])
                let page = try await visitor.get(place)
                #expect(page.status == 200)
                #expect(page.text.contains("Trigger deploy") == (role == "deployer"))
                #expect(!page.text.contains("/new-service") && !page.text.contains("/audit"))
                let before = try await state(server)
                for (_, path) in forms.filter({ role == "viewer" || $0.0 == "deployer" }) {
                    let answer = try await visitor.post(
                        path, ["name": "eve", "role": "admin", "variable": "A"])
                    #expect(answer.status == 403 && answer.text.contains("needs the role"), "\(role) \(path)")
                }
                for path in ["/accounts", "/audit", "/new-service"] {
                    #expect(try await visitor.get(path).status == 403, "\(role) \(path)")
                }
                #expect(try await state(server) == before)
            }
        }
    }

    /// A link is followed by whoever is signed in, whoever wrote it.
    @Test func numbersInLinksThatNoPageHasHarmNothing() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("one")
            let visitor = try await Visitor(server, ["token": server.token("admin")])
            let release = "/services/hello/production/releases/1"
            for number in ["\(Int.min)", "\(Int.max)", "-1", "0", "9\(Int.max)", "x"] {
                for path in [
                    "\(release)?log=\(number)&console=\(number)", "\(release)?in=log&find=\(number)",
                    "/services/hello/production?before=\(number)",
                    "/services/hello/production/rollback?to=\(number)",
                    "/services/hello/production/releases/\(number)", "/audit?before=\(number)",
                ] {
                    let answer = try await visitor.get(path)
                    #expect((200..<500).contains(answer.status), "\(path): \(answer.status)")
                }
            }
            #expect(kill(server.pid, 0) == 0)
        }
    }

    @Test func peopleSignInByPasswordAndOutWhenTheyAreChanged() async throws {
        try await Server.with { server in
            #expect(
                try await server.user("add", "ada", "--role", "deployer", password: "correct horse").status
                    == 0)
            #expect(
                try await server.user("add", "ada", "--role", "viewer", password: "correct horse").status == 3
            )
            #expect(try await server.user("add", "eve", "--role", "admin", password: "short").status == 2)
            #expect(try await server.kinto("user", "list").output.contains("ada"))

            let ada = try await Visitor(server, ["name": "Ada", "token": "correct horse"])
            #expect(try await ada.get("/account").text.contains("deployer"))
            // Wrong name and wrong password are told in the same words.
            let answers = try await ["ada", "nobody"].asyncMap {
                try await Visitor.signIn(server, ["name": $0, "token": "wrong horse"])
            }
            #expect(answers.map(\.status) == [401, 401] && answers[0].text == answers[1].text)

            // A stream ends with the role that it was begun with.
            let begun = Mutexed(false)
            async let ended = ada.stream("/events", begun: begun)
            try await server.until { begun.read { $0 } }
            try await server.kinto("user", "set", "ada", "--role", "viewer")
            #expect(await ended)
            #expect(try await ada.get("/").status == 303)
            // A new one has the new role; the browser that was there before is not kept out by others' attempts.
            // Many at once, and all the time: one after the other they might come as slowly as they are allowed.
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<12 {
                    group.addTask {
                        while !Task.isCancelled {
                            _ = try await Visitor.signIn(server, ["name": "ada", "token": "wrong horse"])
                        }
                    }
                }
                try await server.until {
                    try await Visitor.signIn(server, ["name": "ada", "token": "correct horse"]).status == 429
                }
                group.cancelAll()
            }
            let again = try await Visitor(
                server, ["name": "ada", "token": "correct horse"], device: ada.device)
            #expect(try await again.get("/account").text.contains("viewer"))
            #expect(
                try await again.post("/account/password", ["old": "wrong", "new": "another horse"]).status
                    == 400)
            #expect(try await again.get("/").status == 200)
            #expect(
                try await again.post("/account/password", ["old": "correct horse", "new": "another horse"])
                    .status
                    == 303)
            #expect(try await again.get("/").status == 303)
            #expect(try await server.user("set", "ada", "--password", password: "correct horse").status == 0)
            try await server.kinto("user", "remove", "ada")
            #expect(try await again.get("/").status == 303)

            let rows = try await server.audit()
            let actions = Set(rows.compactMap { $0["action"] as? String })
            #expect(actions.isSuperset(of: ["user add", "user set", "user remove", "sign-in", "password"]))
            #expect(rows.contains { $0["who"] as? String == "an unknown name" })
            let text = try await server.kinto("audit", "-n", "1000").output
            #expect(!text.contains("horse") && !text.contains("nobody"))
        }
    }

    @Test func tokensEndWithTheirStreams() async throws {
        try await Server.with { server in
            let token = try await server.token("viewer", name: "watcher")
            let url = "http://127.0.0.1:\(server.listen)/api/v1/events"
            let begun = Mutexed(false)
            async let ended = Visitor.ends(url, ["Authorization: Bearer \(token)"], begun: begun)
            try await server.until {
                let list = try await server.json("token", "list", "--json") as? [[String: Any]]
                return list?.contains { $0["name"] as? String == "watcher" && $0["lastUsedAt"] is String }
                    == true
            }
            try await server.until { begun.read { $0 } }
            #expect(try await server.kinto("token", "remove", "watcher").status == 0)
            #expect(await ended)
            #expect(try await server.ask("GET", "/api/v1/services", token: token).status == 401)
            #expect(try await server.kinto("token", "remove", "watcher").status == 3)
            #expect(try await server.kinto("token", "add", "x<y", "--role", "viewer").status == 2)
            #expect(try await server.kinto("token", "add", "new").status == 2)
        }
    }

    @Test func releasesAndTheLogTellWhoAsked() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let account = "local \(String(cString: getpwuid(getuid()).pointee.pw_name))"
            #expect(try await server.releases("hello")[0]["by"] as? String == account)

            try await server.kinto("environment", "set", "hello", "production", "--protect", "on")
            let token = try await server.token("deployer", name: "ci")
            let deploy = "/api/v1/services/hello/deploy"
            let refused = try await server.ask("POST", deploy, token: token, body: #"{"force":true}"#)
            #expect(refused.code == "environment-protected")
            let done = try await server.ask(
                "POST", deploy, token: token, body: #"{"force":true,"confirm":"hello/production"}"#)
            #expect(done.status == 202 && (done.json as? [String: Any])?["by"] as? String == "token ci")
            let ada = "correct horse"
            #expect(try await server.user("add", "ada", "--role", "deployer", password: ada).status == 0)
            let visitor = try await Visitor(server, ["name": "ada", "token": ada])
            #expect(try await visitor.post("/services/hello/production/deploy", ["force": "1"]).status == 409)
            let form = ["force": "1", "confirm": "hello/production"]
            #expect(try await visitor.post("/services/hello/production/deploy", form).status == 303)
            try await server.until { try await server.releases("hello")[0]["live"] as? Bool == true }
            #expect(
                try await server.releases("hello").map { $0["by"] as? String } == [
                    "ada", "token ci", account,
                ])
            #expect(try await server.kinto("releases", "hello").output.contains("manual by token ci"))
            try await server.kinto("config", "hello", "set", "--secret", "KEY=hunter22")

            let rows = try await server.audit("--service", "hello")
            let told = rows.map { row in
                ["who", "door", "action", "target", "result", "what"].map { row[$0] as? String ?? "-" }
                    .joined(separator: " | ")
            }
            let target = "hello/production"
            for wanted in [
                "\(account) | hook | deploy | \(target) | done | push of main at",
                "\(account) | socket | environment set | \(target) | done | protect on",
                "token ci | api | deploy | \(target) | environment-protected | force",
                "token ci | api | deploy | \(target) | done | force, release 2",
                "ada | dashboard | deploy | \(target) | done | force, release 3",
                "\(account) | socket | config | \(target) | done | secret, set KEY, release 4",
                "\(account) | socket | service add | hello | done |",
            ] { #expect(told.contains { $0.hasPrefix(wanted) }, "\(wanted) in \(told)") }
            #expect(!told.joined().contains("hunter22"))
            // What a person at the machine looks at is written down, too.
            try await server.kinto("config", "hello", "list", "--reveal")
            #expect(try await server.audit()[0]["action"] as? String == "config reveal")
            // It is there after a kill.
            server.end(with: SIGKILL)
            try await server.serve()
            #expect(try await server.audit("--service", "hello").count == rows.count + 1)
        }
    }

    /// Nothing changes by itself.
    private static let still =
        #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"watch":"0s","stop":{"grace":"5s"}}}"#

    private func rank(_ role: String) -> Int { ["viewer", "deployer", "admin"].firstIndex(of: role) ?? 9 }

    /// All that could have been changed.
    private func state(_ server: Server) async throws -> String {
        let unsteady = #/"lastUsedAt":"[^"]*",?/#
        var all = ""
        for path in [
            "/services", "/services/hello/releases", "/services/hello/config", "/services/hello/environments",
            "/tokens", "/users", "/reports", "/certificates",
        ] {
            let text = try await server.ask("GET", "/api/v1\(path)", token: server.adminToken).text
            all += "\(path) " + text.replacing(unsteady, with: "") + "\n"
        }
        return all
    }
}

extension Array {
    fileprivate func asyncMap<T>(_ body: (Element) async throws -> T) async throws -> [T] {
        var all: [T] = []
        for element in self { all.append(try await body(element)) }
        return all
    }
}

private typealias Answer = Visitor.Answer

extension Server {
    fileprivate func token(_ role: String, name: String? = nil) async throws -> String {
        try await kinto("token", "add", name ?? role, "--role", role).output
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    /// `kinto user …` with the password on its standard input.
    fileprivate func user(_ words: String..., password: String) async throws -> Result {
        try write("password", password + "\n")
        return try await run(
            "/bin/sh",
            ["-c", #"file=$1; shift; exec "$@" <"$file""#, "sh", "\(work)/password", "\(bin)/kinto", "user"]
                + words
                + ["--home", home])
    }

    fileprivate func audit(_ words: String...) async throws -> [[String: Any]] {
        let result = try await run("\(bin)/kinto", ["audit", "--json", "-n", "1000", "--home", home] + words)
        return try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [[String: Any]] ?? []
    }

    fileprivate func ask(_ method: String, _ path: String, token: String? = nil, body: String? = nil)
        async throws
        -> Answer
    {
        let response = try await HTTPClient.send(
            .init(
                method, url: "http://127.0.0.1:\(listen)\(path)",
                headers: (token.map { ["Authorization: Bearer \($0)"] } ?? []) + [
                    "Content-Type: application/json"
                ],
                body: body.map { Array($0.utf8) }, timeout: 60_000))
        return Answer(status: response.status, text: String(decoding: response.body, as: UTF8.self))
    }
}
