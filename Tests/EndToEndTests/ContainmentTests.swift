// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// Builds and services that mean no good, beside one that serves.
@Suite(.serialized, .timeLimit(.minutes(20)))
struct ContainmentTests {
    /// Scenario 51: Where builds have a user of their own, nothing of the server's and of other services is open to one.
    @Test func aBuildReachesNothingOfTheOthers() async throws {
        guard geteuid() == 0 else {
            let tried = try await started(with: ["--build-user", "daemon"])
            #expect(tried.status == 3)
            #expect(tried.output.contains("only root can run something as another user"), "\(tried.output)")
            return
        }
        try await Server.with(["--build-user", "daemon", "--service-user", "www-data"]) { server in
            try await server.setUp()
            try await server.kinto("config", "hello", "set", "SECRET=canary-of-hello")
            try await server.push("first")
            let service = try await server.servingProcess()
            #expect(try owner(of: service) == "www-data")
            let environment = try Files.read("/proc/\(service)/environ")
            #expect(String(decoding: environment, as: UTF8.self).contains("canary-of-hello"))

            let before = try facts(of: server)
            let (home, tree) = (server.home, "\(server.home)/artifacts/hello.production.1/tree")
            try server.write(
                "attack.sh",
                """
                try() { if "$@" >/dev/null 2>&1; then echo "open: $*"; else echo "denied: $*"; fi; }
                boss=$(cut -d' ' -f4 /proc/$PPID/stat)
                id -un; id -Gn; pwd; touch here; echo x > "$HOME/own" && echo "home is writable"
                ls -d \(home)/work/*/* >/dev/null 2>&1 && echo "open: list"
                try cat \(home)/kinto.db; try cat \(home)/token; try ls \(home); try touch \(home)/x
                try cat \(home)/services/hello/production/releases/1/release.log
                try cat \(tree)/server.py; try touch \(home)/artifacts/x; try touch \(tree)/x
                try cat /proc/\(service)/environ; try ls /proc/\(service)/root/; try ls -l /proc/\(service)/fd
                try cat /proc/\(server.pid)/environ; try cat /proc/$boss/environ
                try kill -9 $boss; try kill -9 \(server.pid); try kill -9 \(service)
                try chown root here; try ln \(home)/kinto.db stolen; try mount -t tmpfs none .
                try python3 -c 'import socket; socket.socket(socket.AF_UNIX).connect("\(home)/kinto.sock")'
                grep NoNewPrivs /proc/self/status | tr '\\t' ' '
                """)
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","build":{"command":"sh attack.sh","cache":["kept"]}}"#)
            try await server.kinto("service", "add", "evil")
            try await server.git("add", "-A")
            try await server.git("commit", "-q", "-m", "evil")
            let push = try await server.git("push", "\(home)/repos/evil.git", "HEAD:main")
            #expect(push.output.contains("is live"), "\(push.output)")
            #expect(!push.output.contains("open:"), "\(push.output)")
            #expect(push.output.components(separatedBy: "denied:").count == 21, "\(push.output)")
            #expect(push.output.contains("       daemon "), "\(push.output)")
            #expect(push.output.contains("home is writable"), "\(push.output)")
            #expect(push.output.contains("NoNewPrivs: 1"), "\(push.output)")

            #expect(try await server.get().status == 200)
            #expect(try await server.servingProcess() == service)
            #expect(try facts(of: server) == before)
            let doctor = try await server.kinto("doctor")
            #expect(doctor.output.contains("buildUser daemon, serviceUser www-data"), "\(doctor.output)")
            // Rolled back to and started again from an artifact that is its user's.
            try await server.push("second")
            #expect(try await server.kinto("rollback", "hello", "1").status == 0)
            #expect(try await server.get().status == 200)
        }
    }

    /// What a build must not change: mode and owner of the home and of what lies in it.
    private func facts(of server: Server) throws -> [String] {
        try (["."] + FileManager.default.contentsOfDirectory(atPath: server.home).sorted()).map { name in
            var status = stat()
            guard lstat("\(server.home)/\(name)", &status) == 0 else { throw Trouble(name) }
            return "\(name) \(String(status.st_mode, radix: 8)) \(status.st_uid)"
        }.filter { !$0.hasPrefix("kinto.db-") }
    }

    private func owner(of pid: Int32) throws -> String? {
        try FileManager.default.attributesOfItem(atPath: "/proc/\(pid)")[.ownerAccountName] as? String
    }

    /// Links of a repository lead nowhere: neither the directory that is kept, nor the caches, nor the root.
    @Test func noPathLeadsOutOfTheCheckout() async throws {
        try await Server.with { server in
            let outside = "\(server.root)/outside"
            try FileManager.default.createDirectory(
                atPath: "\(outside)/inner", withIntermediateDirectories: true)
            try "secret".write(toFile: "\(outside)/inner/file", atomically: true, encoding: .utf8)
            try await server.setUp()
            try FileManager.default.createSymbolicLink(
                atPath: "\(server.work)/link", withDestinationPath: outside)
            for settings in [
                #"{"start":"python3 server.py","root":"link/inner"}"#,
                #"{"start":"python3 server.py","build":{"command":"true","output":"link/inner"}}"#,
            ] {
                try server.write("kinto.json", settings)
                let push = try await server.push("out")
                #expect(push.output.contains("leads out of the checkout"), "\(push.output)")
                let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
                #expect(failure?["code"] as? String == "path-outside")
            }
            #expect(Files.exists("\(outside)/inner/file"))

            // A cache is neither taken from outside nor put there.
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","build":{"command":"true","cache":["link/inner","kept/deep"]}}"#
            )
            let push = try await server.push("cache")
            #expect(push.output.contains("is live"), "\(push.output)")
            let stolen = try await server.run(
                "/bin/sh", ["-c", "find \(server.home)/services -name file 2>/dev/null; find \(outside)"])
            #expect(
                stolen.output == "\(outside)\n\(outside)/inner\n\(outside)/inner/file\n", "\(stolen.output)")

            // One that is the build's own comes back.
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","build":{"command":"cat kept/deep/count; mkdir -p kept/deep; echo again >> kept/deep/count","cache":["kept/deep"]}}"#
            )
            try await server.push("one")
            // Another tree, or the artifact would be taken as it is.
            try server.write("note", "two")
            let second = try await server.push("two")
            #expect(second.output.contains("       again "), "\(second.output)")
        }
    }

    /// Scenarios 46 and 47: A fork bomb and a memory hog fail by name; the others notice nothing.
    @Test func whatABuildTakesDoesNotHurtTheOthers() async throws {
        try await Server.with(["--build-processes", "60"]) { server in
            try await server.setUp()
            try await server.push("first")
            let (pid, serving) = (server.pid, try await server.servingProcess())
            let visitors = Visitors(server, count: 2)
            // Both are bounded by themselves, too: 2 ^ 9 processes, 300 MiB.
            try server.write(
                "bomb.sh",
                """
                bomb() { [ "$1" -gt 8 ] && exec sleep 20; bomb $(($1 + 1)) & bomb $(($1 + 1)) & wait; }
                bomb 0
                """)
            try server.write(
                "hog.py",
                """
                import time
                a = []
                for i in range(300): a.append(bytearray(b"x" * (1 << 20))); time.sleep(0.01)
                time.sleep(120)
                """)
            for (command, code, told) in [
                ("sh bomb.sh", "build-processes", "more processes and threads than its limit of 60"),
                ("python3 hog.py", "build-memory", "out of memory, its limit is 64 MiB"),
            ] {
                try server.write(
                    "kinto.json",
                    #"{"start":"python3 server.py","build":{"command":"\#(command)","memory":"64MiB"}}"#)
                let push = try await server.push(command)
                #expect(push.output.contains(told), "\(push.output)")
                let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
                #expect(failure?["code"] as? String == code, "\(push.output)")
                #expect(try server.processes().allSatisfy { !$0.contains(command) })
            }
            #expect(kill(pid, 0) == 0)
            // What the kernel goes by when it has to choose one: the builds have 900. Less than 0 needs CAP_SYS_RESOURCE.
            let rights = try String(contentsOfFile: "/proc/self/status", encoding: .utf8).split(
                separator: "\n"
            )
            .first { $0.hasPrefix("CapEff:") }.flatMap {
                UInt64($0.dropFirst(7).trimmingCharacters(in: .whitespaces), radix: 16)
            }
            let score = try String(contentsOfFile: "/proc/\(pid)/oom_score_adj", encoding: .utf8)
            #expect(score == (try #require(rights) & 1 << 24 != 0 ? "-900\n" : "0\n"), "\(score)")
            #expect(try await server.servingProcess() == serving)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
            #expect(tally.answered > 10)
        }
    }

    /// A release that does nothing but ask for processes fails by that name, not as one that the kernel ended for memory.
    @Test func aServiceThatAsksForProcessesWithoutEndIsToldSo() async throws {
        try await Server.with(["--service-processes", "20"]) { server in
            try await server.setUp()
            #expect(try await server.push("first").output.contains("is live"))
            let serving = try await server.servingProcess()
            try server.write("bomb.py", HostileProgram.asksForProcesses)
            try server.write("kinto.json", #"{"start":"python3 bomb.py","probe":{"path":"/"}}"#)
            let push = try await server.push("bomb")
            #expect(push.output.contains("asked for more processes than its limit (2"), "\(push.output)")
            #expect(push.output.contains("kinto serve --service-processes"), "\(push.output)")
            #expect(!push.output.contains("memory"), "\(push.output)")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "service-processes")
            #expect(try await server.servingProcess() == serving)
        }
    }

    /// A build that fills the disk is ended while there is room for everybody else, and what it wrote is gone.
    @Test func aBuildThatFillsTheDiskIsEnded() async throws {
        let room = try #require(Files.room("/tmp")).bytes
        try #require(room > 4 << 30, "this test takes a gigabyte of the disk for a moment")
        try await Server.with(["--keep", "free-bytes=\((room - (1 << 30)) >> 20)MiB"]) { server in
            try await server.setUp()
            #expect(try await server.push("first").output.contains("is live"))
            try server.write(
                "fill.py",
                """
                import os, time
                with open("filled", "wb") as file:
                    for part in range(48):
                        os.posix_fallocate(file.fileno(), part << 26, 1 << 26)
                        time.sleep(0.05)
                time.sleep(120)
                """)
            try server.write(
                "kinto.json", #"{"start":"python3 server.py","build":{"command":"python3 fill.py"}}"#)
            let push = try await server.push("second")
            #expect(push.output.contains("out of space"), "\(push.output)")
            #expect(push.output.contains("was ended before it could fill it"), "\(push.output)")
            let failure = try await server.releases("hello").first?["failure"] as? [String: Any]
            #expect(failure?["code"] as? String == "space-low")
            let left = try await server.run(
                "/bin/sh", ["-c", "find \(server.home)/work -name filled 2>/dev/null"])
            #expect(left.output.isEmpty, "\(left.output)")
            #expect(try await server.get().status == 200)
        }
    }

    /// Scenario 68: A service that leaves its session, its parents and its process group, ignores TERM and stands still
    /// is gone one second after its grace.
    @Test func nothingOfAServiceThatIsStoppedIsLeft() async throws {
        try await Server.with { server in
            try await server.setUp(
                #"{"start":"python3 server.py","probe":{"path":"/"},"rollout":{"stop":{"grace":"1s"}}}"#)
            let mark = "8\(UInt32.random(in: 100_000...999_999))"
            try server.write(
                "server.py",
                """
                import os, signal, subprocess
                for words in (["setsid", "sh", "-c", "trap '' TERM; sleep \(mark) & sleep \(mark)"],
                              ["env", "-i", "/usr/bin/setsid", "/bin/sh", "-c", "(/bin/sleep \(mark) &)"],
                              ["sh", "-c", "kill -STOP $$; sleep \(mark)"]):
                    subprocess.Popen(words, start_new_session=True, close_fds=True, stdout=subprocess.DEVNULL)
                os.setpgid(0, 0) if os.getpid() != os.getpgid(0) else None
                """ + "\n"
                    + Server.application.replacingOccurrences(
                        of: "lambda *a: os._exit(0)", with: "signal.SIG_IGN"))
            let push = try await server.push("first")
            #expect(push.output.contains("is live"), "\(push.output)")
            func left() throws -> Int { try server.processes().count { $0.contains(mark) } }
            try await server.until { try left() >= 3 }
            let serving = try await server.servingProcess()
            kill(serving, SIGSTOP)
            let clock = ContinuousClock()
            let time = try await clock.measure { try await server.kinto("suspend", "hello") }
            #expect(try left() == 0)
            #expect(kill(serving, 0) != 0)
            // With the command around it, on a machine with other work: RolloutTests has the times.
            #expect(time < .seconds(60), "\(time)")
            #expect(try await server.kinto("resume", "hello").status == 0)
            #expect(try await server.get().status == 200)
        }
    }

    /// The sandbox: what is in it cannot reach the network, the system or kinto. Where this kernel does not allow one, the
    /// server says so and does not start.
    @Test func aSandboxedBuildIsAlone() async throws {
        let works = try await Server.bash(
            "bwrap --unshare-user-try --unshare-pid --unshare-net --ro-bind / / --proc /proc --dev /dev /bin/true"
        )
        guard works == 0 else {
            let tried = try await started(with: ["--build-sandbox"])
            #expect(tried.status == 3)
            #expect(tried.output.contains("--build-sandbox"), "\(tried.output)")
            return
        }
        try await Server.with(["--build-sandbox"]) { server in
            try await server.setUp()
            try server.write(
                "attack.sh",
                """
                try() { if "$@" >/dev/null 2>&1; then echo "open: $*"; else echo "denied: $*"; fi; }
                try touch /etc/x; try touch /usr/x; try cat \(server.home)/kinto.db; try ls \(server.home)/kinto.sock
                try touch \(server.home)/x; try kill -9 \(server.pid); try cat /proc/\(server.pid)/environ
                try ls -d /root/.bashrc /root/.profile; try mount -o remount,rw /; try umount \(server.home)
                try python3 -c 'import socket; socket.create_connection(("127.0.0.1", \(server.listen)), 5)'
                touch /tmp/kinto-sandboxed && echo "own tmp"; echo built > built; echo kept > kept/file || mkdir kept
                ls /proc | grep -c '^[0-9]' | sed 's/^/processes: /'
                """)
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"sh attack.sh","cache":["kept"]}}"#
            )
            let push = try await server.push("first")
            #expect(push.output.contains("is live"), "\(push.output)")
            #expect(!push.output.contains("open:"), "\(push.output)")
            #expect(push.output.components(separatedBy: "denied:").count == 12, "\(push.output)")
            #expect(push.output.contains("own tmp"), "\(push.output)")
            #expect(!Files.exists("/tmp/kinto-sandboxed"))
            #expect(Files.exists("\(server.home)/artifacts/hello.production.1/tree/built"))
            let status = try await server.json("status", "--json") as? [String: Any]
            #expect((status?["isolation"] as? [String: Any])?["buildSandbox"] as? String == "bubblewrap")
            // The end of a sandboxed build is the end of all in it.
            let mark = "9\(UInt32.random(in: 100_000...999_999))"
            try server.write(
                "kinto.json",
                #"{"start":"python3 server.py","build":{"command":"trap '' TERM; setsid sleep \#(mark) & sleep \#(mark)","timeout":"1s"}}"#
            )
            let second = try await server.push("second")
            #expect(second.output.contains("ran longer than 1s"), "\(second.output)")
            #expect(try server.processes().allSatisfy { !$0.contains(mark) })
        }
    }

    @Test func whatCannotBeHadIsRefusedAtTheStart() async throws {
        for (words, told) in [
            (["--build-memory", "lots"], "--build-memory is a size"),
            (["--build-processes", "-1"], "--build-processes"),
            (["--service-user", "no-such-user"], geteuid() == 0 ? "there is no user" : "only root"),
        ] {
            let tried = try await started(with: words)
            #expect([2, 3].contains(tried.status), "\(tried.output)")
            #expect(tried.output.contains(told), "\(tried.output)")
        }
    }

    /// A server that is not meant to start.
    private func started(with words: [String]) async throws -> Server.Result {
        try await TemporaryDirectory.with { directory in
            let (listen, proxy) = (try FreePort.take(), try FreePort.take())
            return try await Server.command(
                [
                    "serve", "--home", "\(directory)/home", "--listen", "127.0.0.1:\(listen)",
                    "--proxy-listen", "127.0.0.1:\(proxy)",
                ] + words)
        }
    }
}

extension Server {
    /// The first instance of what is live.
    func servingProcess() async throws -> Int32 {
        let status = try await json("status", "--json") as? [String: Any]
        for service in status?["services"] as? [[String: Any]] ?? []
        where service["name"] as? String == "hello" {
            let live = service["live"] as? [String: Any]
            let instances = live?["instances"] as? [[String: Any]]
            if let pid = instances?.first?["pid"] as? Int { return Int32(pid) }
        }
        throw Trouble("nothing of hello is live")
    }

    static func bash(_ line: String) async throws -> Int32 {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", line]
        process.standardError = FileHandle.nullDevice
        try process.run()
        await onThread { process.waitUntilExit() }
        return process.terminationStatus
    }
}
