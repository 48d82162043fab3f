// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import HookReceiver
internal import KintoCore
internal import Rollout
internal import Runner
internal import Wire

/// What was examined, and how it is.
struct Finding: Encodable, Sendable {
    let what: String
    let isWell: Bool
    let detail: String
    /// How to mend it.
    let fix: String?

    init(_ what: String, _ detail: String, isWell: Bool = true, fix: String? = nil) {
        self.what = what
        self.isWell = isWell
        self.detail = detail
        self.fix = fix
    }
}

/// `kinto doctor`.
extension Actions {
    /// Days before its end at which a certificate should have been renewed: ACME clients do so 30 days before.
    static let certificateFloor = 14
    func examine() async throws -> [Finding] {
        var findings = [
            examineHome(), examineDatabase(), await examineKey(), examineRoom(), examineContainment(),
            await examineProxy(),
            try await examineWaits(), SpoolJSON(Spool(home)).finding,
        ]
        for certificate in await certificates() { findings.append(Actions.examine(certificate)) }
        for service in try await store.services() {
            findings += try await examine(service)
            if let locked = try await Actions.examineLocks(of: service) { findings.append(locked) }
        }
        return findings
    }

    private func examineHome() -> Finding {
        var facts = stat()
        guard stat(home.path, &facts) == 0 else {
            return Finding("home", "\(home.path) cannot be read", isWell: false, fix: "ls -ld \(home.path)")
        }
        // With users for builds and services, the group's bit stands for their way through (acl(5)).
        let isShared = containment.buildUser != nil || containment.serviceUser != nil
        guard facts.st_mode & (isShared ? 0o067 : 0o077) == 0 else {
            return Finding(
                "home", "\(home.path) is open to other users, and so are its secrets", isWell: false,
                fix: "chmod 700 \(home.path)")
        }
        return Finding("home", home.path)
    }

    /// What is in force is a fact, not a fault; what could be better is told with it.
    private func examineContainment() -> Finding {
        let facts = containment.facts.map { "\($0.name) \($0.value)" }
        return Finding("isolation", (facts + containment.reasons).joined(separator: ", "))
    }

    private func examineDatabase() -> Finding {
        do { try store.requireFile() } catch {
            return Finding(
                "database", "\(error)", isWell: false,
                fix: "put \(home.database) back, or: kinto restore BACKUP --home NEW")
        }
        return Finding("database", home.database)
    }

    private func examineKey() async -> Finding {
        do {
            let count = try await store.examineKey()
            return Finding(
                "secret key",
                "\(home.path)/secret.key, closed to others, opens all \(count) values that are sealed")
        } catch {
            let failure = error as? Failure
            return Finding(
                "secret key", failure?.message ?? "\(error)", isWell: false,
                fix: failure?.hints.first?.line)
        }
    }

    private func examineRoom() -> Finding {
        guard let room = Files.room(home.path) else { return Finding("space", "not known") }
        let text = "\(room.bytes >> 20) MiB and \(room.files) files free"
        return Finding(
            "space", text,
            isWell: room.bytes >= UInt64(max(0, retention.settings.freeBytes))
                && room.files >= UInt64(max(0, retention.settings.freeFiles)),
            fix: "no build is started below the floor; kinto prune --dry-run shows what kinto can give back")
    }

    private func examineProxy() async -> Finding {
        do {
            let status = try await routes.status()
            let addresses = [
                status.addresses.map { "http://\($0.plain)" },
                status.addresses?.secure.map { "https://\($0)" },
            ].compactMap(\.self).joined(separator: " and ")
            return Finding("proxy", "\(status.name)\(addresses.isEmpty ? "" : " on \(addresses)")")
        } catch {
            return Finding(
                "proxy", "\(options.proxyName) does not answer: \(error)", isWell: false,
                fix: routes.isExternal ? "start \(options.proxyName)" : "read \(home.proxyLog)")
        }
    }

    private static func examine(_ certificate: CertificateJSON) -> Finding {
        let what = "certificate \(certificate.name)"
        if let problem = certificate.problem {
            return Finding(
                what, certificate.daysLeft == nil ? problem : "the new one is not used: \(problem)",
                isWell: false,
                fix: "kinto certificate add \(certificate.name) --chain FILE --key FILE")
        }
        let days = certificate.daysLeft ?? 0
        let names = certificate.hosts.joined(separator: ", ")
        return Finding(
            what, days < 0 ? "has expired: \(names)" : "\(names), \(days) days left",
            isWell: days >= certificateFloor, fix: "renew it; what your ACME client writes is read by itself")
    }

    /// A push takes a lock for milliseconds; one that is older refuses every push to its branch. Those on objects keep only
    /// git's own packing away, which holds them for as long as it takes.
    private static func examineLocks(of service: RegisteredService) async throws -> Finding? {
        guard service.source != .remote else { return nil }
        let end = Timestamp(milliseconds: Timestamp.now.milliseconds - 60_000)
        let locks = try await Blocking.run {
            RepositoryLocks.list(service.repository, madeBefore: end)
                .filter { !$0.hasPrefix("\(service.repository)/objects/") }
        }
        guard let first = locks.first else { return nil }
        let rest = locks.count > 1 ? " and \(locks.count - 1) more" : ""
        return Finding(
            "repository of \(service.name)", "\(first)\(rest) has refused pushes for more than a minute",
            isWell: false,
            fix: "if no git command runs there: rm -- \(ShellWord.quoted(first))")
    }

    private func examine(_ service: RegisteredService) async throws -> [Finding] {
        var findings: [Finding] = []
        for environment in try await store.environments(of: service.name) {
            let name = "service \(environment.target)"
            if let reason = environment.deploysStopped {
                findings.append(
                    Finding(
                        name, "pushes are not deployed: \(reason)", isWell: false,
                        fix: "kinto deploy \(environment.target.words)"))
            } else if let live = try await store.live(environment.target) {
                let files = environment.suspended ? nil : try await deployment.files.of(live)
                if let files, !Files.exists(files.index) {
                    findings.append(
                        Finding(
                            name, "the files of release \(live.number) are not there: \(files.index)",
                            isWell: false, fix: "kinto deploy \(environment.target.words)"))
                    continue
                }
                findings.append(Finding(name, "release \(live.number) is live"))
            } else {
                findings.append(Finding(name, environment.suspended ? "suspended" : "nothing is live yet"))
            }
        }
        return findings
    }
}
