// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Synchronization
import Testing

@testable import Control

/// Who may do what, and what is kept of it.
struct AccessTests {
    @Test func everyOperationSaysWhoMayAskForItAndWhatItIsCalled() {
        // Its wish is a body, as that of a deploy is; it changes nothing.
        let reading: Set = ["/api/v1/services/{name}/plan"]
        for operation in Operations.all where operation.access != .open {
            let access = operation.access
            let isReading = operation.method == "GET" || reading.contains(operation.path)
            #expect(isReading == (access.action == nil), "\(operation.identifier)")
            // Who may only read changes nothing.
            if !isReading {
                #expect(access.role ?? .viewer > .viewer, "\(operation.identifier)")
            }
        }
        let open = Operations.all.filter { $0.access == .open }.map(\.path)
        #expect(open == ["/healthz", "/api/v1/openapi.json", "/hooks/{name}"])
        let actions = Operations.all.compactMap(\.access.action)
        #expect(Set(actions).count == actions.count)
    }

    @Test func aPageIsLikeAnOperationThatThereIs() {
        #expect(RouteAccess.like("POST", "/services/{name}/deploy") == .deployer("deploy"))
        #expect(RouteAccess.like("POST", "/services/{name}/destroy") == nil)
    }

    @Test func aPasswordIsKnownByItsHashAlone() async throws {
        let hash = try await PasswordHash.make("correct horse battery")
        #expect(!hash.text.contains("horse"))
        let kept = try #require(PasswordHash(hash.text))
        #expect(try await kept.matches("correct horse battery"))
        #expect(try await !kept.matches("correct horse batterx"))
        #expect(try await PasswordHash.make("correct horse battery").text != hash.text)
        #expect(try await !PasswordHash.nobody.matches(""))
        // The same letters, composed in another way.
        let composed = try await PasswordHash.make("caf\u{E9} au lait, deux")
        #expect(try await composed.matches("cafe\u{301} au lait, deux"))
    }

    @Test(arguments: [
        "", "scrypt", "scrypt$15$8$3$$", "scrypt$60$8$3$AAAA$AAAA", "scrypt$15$0$3$AAAA$AAAA",
        "scrypt$15$8$3$!$!", "argon2$15$8$3$AAAA$AAAA",
    ])
    func whatIsNoHashIsNone(text: String) { #expect(PasswordHash(text) == nil) }

    @Test(arguments: ["", "short", "aaaaaaaaaaaaaaaa", "administrator"])
    func aPasswordThatWouldBeGuessedIsRefused(password: String) throws {
        let name = try AccountName("Administrator")
        #expect(throws: Failure.self) { try PasswordHash.check(password, of: name) }
        try PasswordHash.check("correct horse battery", of: name)
    }

    /// Ten of an address, twenty of all; a browser that was there before is not kept out by either.
    @Test func wrongPasswordsKeepNobodyOutWhoWasThereBefore() {
        let limits = SignInLimits()
        let device = limits.device(of: "Ada")
        #expect((0..<20).count { _ in limits.allows("ada", source: "1.2.3.4", device: nil) } == 10)
        for address in 0..<50 { _ = limits.allows("ada", source: "a\(address)", device: nil) }
        #expect(!limits.allows("ada", source: "new", device: nil))
        #expect(!limits.allows("bob", source: "new", device: device))
        #expect(!limits.allows("ada", source: "new", device: "made up"))
        #expect(limits.allows("ada", source: "1.2.3.4", device: device))
        #expect((0..<20).count { _ in limits.allows("ada", source: "new", device: device) } == 9)
        #expect(SignInLimits().device(of: "ada") != device)
    }

    @Test func streamsEndWithTheirAccount() {
        let presence = Presence()
        let cuts = Mutex(0)
        let (ada, bob) = (Principal.Account.user("ada"), Principal.Account.user("bob"))
        let cut: @Sendable () -> Void = { cuts.withLock { $0 += 1 } }
        let since = presence.now
        #expect(presence.enter(ada, since: since, cut: cut) != nil)
        #expect(presence.enter(bob, since: since, cut: cut) != nil)
        if let left = presence.enter(ada, since: since, cut: cut) { presence.leave(ada, left) }
        presence.end(ada)
        #expect(cuts.withLock { $0 } == 1)
        // It was looked up before, and comes only now.
        #expect(presence.enter(ada, since: since, cut: cut) == nil)
        // It is there again, with another role.
        #expect(presence.enter(ada, since: presence.now, cut: cut) != nil)
    }

    @Test func noValueOfAVariableAndNoSecretIsWrittenDown() {
        let body: [String: JSONBody] = [
            "set": .object(["KEY": .text("hunter22")]), "unset": .list([.text("OLD")]),
            "token": .text("hunter22"), "password": .text("hunter22"), "key": .text("hunter22"),
            "protect": .boolean(false), "noCache": .boolean(false), "force": .boolean(true),
            "ref": .text("main"), "number": .integer(3), "environment": .text("staging"),
        ]
        #expect(
            Told.words(body) == [
                "force", "key", "number 3", "password", "protect off", "ref main", "set KEY", "token",
                "unset OLD",
            ])
        #expect(
            Told.words([
                "csrf": "x", "variable": "KEY", "value": "hunter22", "password": "hunter22", "secret": "1",
            ]) == ["secret", "set KEY"])
    }
}
