// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing

@testable import Runner

@Suite struct GitAddressTests {
    @Test func understandsTheFormsThatPeopleUse() throws {
        func parts(_ text: String) throws -> [String] {
            let address = try GitAddress(text)
            #expect(address.description == text)
            return [
                address.transport.rawValue, address.user ?? "-", address.host,
                address.port.map(String.init) ?? "-",
                address.path,
            ]
        }
        #expect(try parts("https://github.com/a/b.git") == ["https", "-", "github.com", "-", "/a/b.git"])
        #expect(try parts("HTTPS://x@Host:8443/b") == ["https", "x", "Host", "8443", "/b"])
        #expect(try parts("ssh://git@[::1]:2222/~/b") == ["ssh", "git", "::1", "2222", "/~/b"])
        #expect(try parts("git@github.com:a/b.git") == ["ssh", "git", "github.com", "-", "a/b.git"])
        #expect(try parts("host:path") == ["ssh", "-", "host", "-", "path"])
        #expect(try parts("file:///srv/git/a.git") == ["local", "-", "", "-", "/srv/git/a.git"])
        #expect(try parts("/srv/git/a.git") == ["local", "-", "", "-", "/srv/git/a.git"])
    }

    @Test(arguments: [
        "", " ", "-oProxyCommand=x", "--upload-pack=x", "ext::sh -c id", "ext::sh", "fd::17", "git://host/a",
        "ftp://host/a", "javascript://host/a", "relative/path", "./a", "file://host/a",
        "https://user:password@host/a", "https://host", "https://host/", "https:///a", "https://ho st/a",
        "https://-host/a", "https://host:0/a", "https://host:99999/a", "https://host:x/a", "https://host\n/a",
        "ssh://-oX@host/a", "ssh://host/a'b", "ssh://host/%27", "git@host:a'; id; '", "git@host:-x",
        "git@-x:a",
        "@host:a", "host:", "https://host/a\u{0}b", "https://host;x/a", "/srv/a\u{7}b",
    ])
    func refusesWhatCouldDoSomethingElse(_ text: String) {
        #expect(failureCode { _ = try GitAddress(text) } == "address-refused")
    }

    @Test func aRefusalDoesNotRepeatThePassword() {
        do { _ = try GitAddress("https://user:hunter2@host/a") } catch {
            #expect(!"\(error)\(error.evidence)\(error.hints)".contains("hunter2"))
        }
    }

    @Test func aSpecTravelsWhole() throws {
        let spec = FetchSpec(
            address: try GitAddress("git@host:a"), repository: "/m",
            references: ["refs/heads/a", "refs/tags/b"],
            sshKey: "/k", knownHosts: "/h", username: "u", token: "t")
        let back = try FetchSpec(spec.fields)
        #expect(back.fields == spec.fields)
        var bad = spec
        for references in [[], ["main"], ["refs/heads/*"], ["refs/heads/a:refs/heads/b"]] {
            bad.references = references
            #expect(failureCode { _ = try FetchSpec(bad.fields) } == "git-failed")
        }
    }

    @Test(
        arguments: [
            (-1, false, "failed to resolve address for x: Name or service not known", "fetch-dns"),
            (-1, false, "failed to connect to x: Connection refused", "fetch-unreachable"),
            (-16, false, "", "fetch-auth"), (-1, false, "unexpected http status code: 401", "fetch-auth"),
            (-1, true, "the SSL certificate is invalid", "fetch-tls"), (-17, false, "", "fetch-tls"),
            (-1, false, "unexpected http status code: 404", "fetch-not-found"),
            (-1, false, "failed to write: No space left on device", "disk-full"),
            (-20, false, "unexpected EOF", "fetch-interrupted"),
            (-1, false, "cannot redirect from 'a' to 'b'", "fetch-redirect"),
            (-1, false, "Unable to exchange encryption keys", "fetch-ssh"), (-1, false, "", "fetch-failed"),
        ] as [(Int32, Bool, String, String)])
    func explainsWhatTheLibrarySays(_ code: Int32, _ isTLS: Bool, _ message: String, _ expected: String)
        throws
    {
        let spec = FetchSpec(
            address: try GitAddress("https://x/a"), repository: "/m", references: ["refs/heads/a"])
        #expect(FetchFailure.explain(code: code, isTLS: isTLS, message: message, spec: spec).code == expected)
    }

    @Test func base64GoesBothWays() {
        for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")]
        {
            #expect(Base64.encode(Array(bytes.utf8)) == text)
            #expect(Base64.decode(text) == Array(bytes.utf8))
        }
        #expect(Base64.decode("Z*==") == nil)
    }

    @Test func knownHostsMatchNamesAsSSHDoes() {
        // "ssh-ed25519" in the protocol's form, then two different keys.
        let (a, b) = (
            [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [1], [0, 0, 0, 11] + Array("ssh-ed25519".utf8) + [2]
        )
        let (lineA, lineB) = ("ssh-ed25519 \(Base64.encode(a))", "ssh-ed25519 \(Base64.encode(b))")
        let known = KnownHosts(
            "one.org,two.org \(lineA)\n*.wild.org,!bad.wild.org \(lineA) comment\n[one.org]:2222 \(lineB)\n"
                + "@cert-authority *.ca.org \(lineA)\nbroken\none.org ssh-rsa AAAA\n")
        #expect(known.verdict(host: "one.org", port: nil, key: a) == .trusted)
        #expect(known.verdict(host: "ONE.org", port: 22, key: a) == .trusted)
        #expect(known.verdict(host: "two.org", port: nil, key: b) == .changed)
        #expect(known.verdict(host: "one.org", port: 2222, key: b) == .trusted)
        #expect(known.verdict(host: "one.org", port: 2223, key: a) == .unknown)
        #expect(known.verdict(host: "x.wild.org", port: nil, key: a) == .trusted)
        #expect(known.verdict(host: "bad.wild.org", port: nil, key: a) == .unknown)
        #expect(known.verdict(host: "x.ca.org", port: nil, key: a) == .unknown)
        #expect(known.verdict(host: "one.org", port: nil, key: []) == .unknown)
        #expect(known.ordered(host: "one.org", port: nil) == "one.org \(lineA)\n")
    }
}
