// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Runner
internal import Wire

/// Finds out at the start what this machine allows, and refuses what was asked for and cannot be had.
struct ContainmentSetup {
    let options: ContainmentOptions
    let home: Home

    /// - Throws: `Failure` of code `invalid-limit`, `unknown-user`, `user-needs-root`, `user-no-access` or
    ///   `sandbox-unavailable`.
    func containment() throws -> Containment {
        var result = Containment()
        result.build.memory =
            try size(options.buildMemory, option: "--build-memory") ?? result.build.memory
        result.service.memory =
            try size(options.serviceMemory, option: "--service-memory") ?? result.service.memory
        result.reserve = try size(options.memoryReserve, option: "--memory-reserve") ?? 0
        result.build.processes = options.buildProcesses ?? result.build.processes
        result.service.processes = options.serviceProcesses ?? result.service.processes
        for (option, number) in [
            ("--build-processes", result.build.processes), ("--service-processes", result.service.processes),
        ] where !(0...4_194_304).contains(number) {
            throw Failure(code: "invalid-limit", "\(option) is a number up to 4194304; 0: no limit")
        }
        result.buildUser = try user(options.buildUser, option: "--build-user", standard: "kinto-build")
        result.serviceUser = try user(
            options.serviceUser, option: "--service-user", standard: "kinto-service")
        try open(for: result)
        var reasons: [String] = []
        result.groups = ControlGroups.probe("kinto-\(ProcessEnvironment.homeMark(home))") {
            reasons.append($0)
        }
        result.reasons = reasons
        if options.isBuildSandboxed { result.sandbox = try sandbox(result) }
        protect()
        return result
    }

    private func size(_ text: String?, option: String) throws -> Int? {
        guard let text else { return nil }
        if text == ContainmentOptions.none { return 0 }
        for (unit, size) in [("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)] where text.hasSuffix(unit)
        {
            if let number = Int(text.dropLast(3)), number > 0, number <= (1 << 44) / size {
                return number * size
            }
        }
        throw Failure(
            code: "invalid-limit", "\(option) is a size like 512MiB or 2GiB, or none; not '\(text)'")
    }

    /// - Parameter standard: taken without being asked for, where there is such a user.
    private func user(_ name: String?, option: String, standard: String) throws -> SystemUser? {
        if name == ContainmentOptions.none { return nil }
        guard geteuid() == 0 else {
            guard let name else { return nil }
            throw Failure(
                code: "user-needs-root", "\(option) \(name): only root can run something as another user",
                hints: [.init("run the server as root, or leave the option away")])
        }
        guard let user = SystemUser(named: name ?? standard) else {
            guard let name else { return nil }
            throw Failure(
                code: "unknown-user", "\(option): there is no user '\(name)' on this machine",
                hints: [.init("make it", command: "adduser --system --group \(name)")])
        }
        if user.identity.user == 0 { return nil }
        return user
    }

    /// The home stays closed but for the way to what a user works with.
    private func open(for containment: Containment) throws {
        let (build, service) = (containment.buildUser, containment.serviceUser)
        do throws(SystemError) {
            let users = Set([build, service].compactMap { $0?.identity.user })
            try Ownership.letThrough(home.path, users)
            try Ownership.letThrough("\(home.path)/work", Set([build].compactMap { $0?.identity.user }))
            try Ownership.letThrough(home.artifacts, Set([service].compactMap { $0?.identity.user }))
        } catch {
            throw Failure(
                code: "user-no-access",
                "the home directory cannot be opened for the users of builds and services: \(error)",
                hints: [.init("put it on a file system with access control lists (acl(5)), like ext4 or xfs")]
            )
        }
        for (user, place) in [(build, "\(home.path)/work"), (service, home.artifacts)] {
            guard let user else { continue }
            guard try Trial(user).run(["/usr/bin/test", "-x", place]).isWell else {
                throw Failure(
                    code: "user-no-access",
                    "user \(user.name) cannot get to \(place): a directory above is closed",
                    hints: [.init("see which one, and open it", command: "namei -l \(place)")])
            }
        }
    }

    private func sandbox(_ containment: Containment) throws -> BuildSandbox {
        let place = "/usr/bin/bwrap"
        guard Files.exists(place) else {
            throw Failure(
                code: "sandbox-unavailable", "--build-sandbox needs bubblewrap, and \(place) is not there",
                hints: [.init("install it", command: "apt install bubblewrap")])
        }
        let sandbox = BuildSandbox(program: place, home: home.path)
        let trial = try Trial(containment.buildUser).run(
            sandbox.words(writable: [], workingDirectory: "/") + ["/bin/true"])
        guard trial.isWell else {
            throw Failure(
                code: "sandbox-unavailable", "--build-sandbox: bubblewrap does not work on this machine",
                evidence: trial.said,
                hints: [
                    .init(
                        "allow user namespaces, or mounts where kinto runs in a container",
                        command: "sysctl kernel.unprivileged_userns_clone user.max_user_namespaces")
                ])
        }
        return sandbox
    }

    /// The server, and with it the supervisors and the proxy that it starts, are the last that the kernel ends when
    /// memory runs out. Not allowed to everybody.
    private func protect() {
        if let file = try? Descriptor.open("/proc/self/oom_score_adj", O_WRONLY) {
            try? file.writeAll("-900".utf8)
        }
    }
}

/// A short program, run as a user to see whether it can.
private struct Trial {
    let user: SystemUser?

    init(_ user: SystemUser?) { self.user = user }

    func run(_ words: [String]) throws -> (isWell: Bool, said: [String]) {
        var ends: [Int32] = [0, 0]
        try check("pipe") { kinto_pipe(&ends) }
        let reading = Descriptor(owning: ends[0])
        var spawn = Spawn(
            path: words[0], arguments: words, environment: ["PATH=/usr/bin:/bin", "LC_ALL=C"],
            workingDirectory: "/", standardError: Descriptor(owning: ends[1]))
        spawn.confinement = Confinement(user: user?.identity)
        let pid: Int32
        do { pid = try spawn.start() } catch { return (false, ["\(error)"]) }
        spawn.standardError = nil
        let said = (try? reading.readAll(limit: 1 << 16)) ?? []
        var status: Int32 = 0
        try check("waitpid", words[0]) { waitpid(pid, &status, 0) }
        return (status == 0, ControlText.lines(said))
    }
}

private enum ControlText {
    static func lines(_ bytes: [UInt8]) -> [String] {
        bytes.split(separator: UInt8(ascii: "\n")).prefix(5).map { String(decoding: $0, as: UTF8.self) }
    }
}
