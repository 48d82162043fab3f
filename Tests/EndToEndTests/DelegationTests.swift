// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

/// A server that is not root, with a subtree of control groups that was given to its user and without one, as systemd gives
/// it with `Delegate=yes`.
@Suite(.serialized, .timeLimit(.minutes(20)), .enabled(if: geteuid() == 0, "needs root, to be somebody else"))
struct DelegationTests {
    @Test(arguments: [true, false])
    func aServerOfAUserSaysWhatItHasAndKeepsItsLimits(isDelegated: Bool) async throws {
        try await UserServer.with(isDelegated: isDelegated) { server in
            let status = try await server.kinto("status", "--json")
            let facts = try JSONSerialization.jsonObject(with: Data(status.utf8)) as? [String: Any]
            let isolation = try #require(facts?["isolation"] as? [String: Any], "\(status)")
            let hasGroups = server.group != nil
            #expect(isolation["processTree"] as? String == (hasGroups ? "cgroup" : "subreaper"))
            let doctor = try await server.kinto("doctor")
            #expect(doctor.contains(hasGroups ? "processTree cgroup" : "processTree subreaper"), "\(doctor)")
            #expect(doctor.contains("control groups cannot be made") == !hasGroups, "\(doctor)")
            #expect(doctor.contains("buildUser the server's user"), "\(doctor)")
            if let group = server.group {
                // The limits are the kernel's as far as controllers were given with the subtree.
                let given = try String(contentsOfFile: "\(group)/cgroup.controllers", encoding: .utf8)
                for (controller, name) in [("memory", "memory"), ("pids", "processes")] {
                    let holder = given.contains(controller) ? "by the kernel" : "by the supervisor"
                    #expect(isolation[name] as? String == holder, "\(isolation)")
                }
            }

            // What a build leaves behind, ignoring TERM and its environment cleared, is gone with it.
            let mark = "3\(UInt32.random(in: 100_000...999_999))"
            let first = try await server.push(
                "(trap '' TERM; env -i setsid /bin/sleep \(mark) >/dev/null 2>&1 &); sleep 0.2; id -un")
            #expect(first.contains("is live"), "\(first)")
            #expect(first.contains("       daemon"), "\(first)")
            let left = ProcessTable.all().filter {
                (try? Files.read("/proc/\($0)/cmdline")).map {
                    String(decoding: $0, as: UTF8.self).contains(mark)
                }
                    ?? false
            }
            #expect(left.isEmpty)
            let hog = """
                python3 -c 'import time; a = []
                for i in range(300): a.append(bytearray(b\\"x\\" * (1 << 20))); time.sleep(0.01)
                time.sleep(120)'
                """
            let second = try await server.push(hog.replacing("\n", with: "\\n"))
            #expect(second.contains("out of memory, its limit is 64 MiB"), "\(second)")
        }
    }
}

/// `kinto serve` as the user `daemon`.
private struct UserServer {
    let directory: String
    let listen: UInt16
    let proxy: UInt16
    /// The subtree that was given away; nil: none.
    let group: String?

    static func with(isDelegated: Bool, _ body: (UserServer) async throws -> Void) async throws {
        let bin = try Products.directory()
        try await TemporaryDirectory.with { directory in
            let server = UserServer(
                directory: directory, listen: try FreePort.take(), proxy: try FreePort.take(),
                group: isDelegated ? delegated() : nil)
            try await server.shell(
                """
                mkdir bin user work && cp \(bin)/kinto \(bin)/kinto-runtime bin/ && chown daemon: user work && chmod 755 .
                """)
            let join = server.group.map { "echo $$ > \($0)/server/cgroup.procs && " } ?? ""
            // Not by Foundation's Process: that waits for everything that was started with it.
            let log = try Descriptor.open("\(directory)/serve.log", O_WRONLY | O_CREAT)
            let pid = try Spawn(
                path: "/bin/sh",
                arguments: [
                    "sh", "-c",
                    "\(join)exec \(server.user) bin/kinto serve --home user/home --listen 127.0.0.1:\(server.listen) --proxy-listen 127.0.0.1:\(server.proxy)",
                ], environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"], workingDirectory: directory,
                standardOutput: log, standardError: log, newSession: true
            ).start()
            do {
                try await until("the server's start") {
                    try await server.kinto("status", "--json").contains("isolation")
                }
                try await body(server)
            } catch {
                await server.end(pid)
                throw error
            }
            await server.end(pid)
        }
    }

    /// A subtree for the user; nil where this machine has none to give.
    private static func delegated() -> String? {
        let mounts = (try? String(contentsOfFile: "/proc/self/mounts", encoding: .utf8)) ?? ""
        let mount = mounts.split(separator: "\n").map { $0.split(separator: " ") }
            .first { $0.count > 2 && $0[2] == "cgroup2" && $0[1].hasPrefix("/sys/fs/cgroup") }
        guard let top = mount?[1], let user = getpwnam("daemon")?.pointee else { return nil }
        let group = "\(top)/kinto-delegated-\(UInt32.random(in: 0 ... .max))"
        guard mkdir(group, 0o755) == 0, mkdir("\(group)/server", 0o755) == 0 else { return nil }
        // As systemd does it (cgroups(7), "Delegation").
        for place in [group, "\(group)/server"] {
            for name in ["", "/cgroup.procs", "/cgroup.subtree_control", "/cgroup.threads"] {
                chown("\(place)\(name)", user.pw_uid, user.pw_gid)
            }
        }
        return group
    }

    private var user: String {
        "setpriv --reuid=daemon --regid=daemon --clear-groups env HOME=\(directory)/user KINTO_HOOK_PATIENCE=120"
    }

    @discardableResult
    func shell(_ line: String) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", line]
        process.currentDirectoryURL = URL(fileURLWithPath: directory)
        let path = "\(directory)/said-\(UInt32.random(in: 0 ... .max))"
        try Data().write(to: URL(fileURLWithPath: path))
        let said = try #require(FileHandle(forWritingAtPath: path))
        process.standardOutput = said
        process.standardError = said
        try process.run()
        await onThread { process.waitUntilExit() }
        return try String(decoding: Files.read(path), as: UTF8.self)
    }

    func kinto(_ words: String...) async throws -> String {
        try await shell("\(user) bin/kinto \(words.joined(separator: " ")) --home user/home")
    }

    /// Pushes a commit whose build is `command`, fit for JSON.
    func push(_ command: String) async throws -> String {
        if !Files.exists("\(directory)/work/.git") {
            _ = try await kinto("service", "add", "hello")
            try Server.application.write(
                toFile: "\(directory)/work/server.py", atomically: true, encoding: .utf8)
        }
        try
            #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"memory":"64MiB","command":"\#(command)"}}"#
            .write(toFile: "\(directory)/work/kinto.json", atomically: true, encoding: .utf8)
        let git = "git -c user.name=t -c user.email=t@example.com -C work"
        return try await shell(
            """
            chown -R daemon: work; \(user) sh -c '\(git) init -q -b main; \(git) add -A && \(git) commit -q -m x && \
            \(git) push ../user/home/repos/hello.git HEAD:main'
            """)
    }

    private func end(_ pid: pid_t) async {
        let status = try? await kinto("status", "--json")
        let facts = try? JSONSerialization.jsonObject(with: Data((status ?? "").utf8)) as? [String: Any]
        let proxy = ((facts?["proxy"] as? [String: Any])?["supervisor"] as? Int).flatMap {
            ProcessIdentity(running: Int32($0))
        }
        _ = try? await kinto("service", "remove", "hello", "--yes")
        kill(pid, SIGTERM)
        await onThread { _ = waitpid(pid, nil, 0) }
        proxy?.send(SIGTERM)
        try? await until("the proxy's end") { proxy?.isRunning != true }
        guard let group else { return }
        try? await until("the groups' end") {
            rmdir("\(group)/server")
            return rmdir(group) == 0
        }
        #expect(!Files.exists(group), "groups are left: \((try? Files.list(group)) ?? [])")
    }
}
