// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import KintoCore
internal import Rollout
internal import Wire

/// What this host lacks for a release, seen before its build: room in memory for two releases beside each other, a proxy that
/// answers, certificates that last. Says so and stops nothing: each of them may be well again by the time of the swap.
struct HostExamination: Sendable {
    let store: Store
    let routes: Routes
    /// Bytes of memory that others are left.
    let reserve: Int

    /// A certificate is warned of when it has fewer days.
    static let certificateDays = 14
    /// How long a proxy may take to answer.
    private static let patience = Duration.seconds(2)

    func warnings(_ manifest: Manifest, _ target: Target) async -> [Warning] {
        var warnings: [Warning] = []
        if let warning = await memory(manifest, target) { warnings.append(warning) }
        if let warning = await proxy() { return warnings + [warning] }
        return warnings + (await certificates(Deployment.hosts(target, manifest)))
    }

    // MARK: Memory

    private func memory(_ manifest: Manifest, _ target: Target) async -> Warning? {
        guard manifest.rollout.strategy == .rolling, let live = try? await store.live(target),
            !live.instances.isEmpty, let available = Self.available
        else { return nil }
        let wanted = (try? await store.environment(target))?.wanted ?? [:]
        let instances = live.instances
        let used =
            (try? await Blocking.run { instances.map { ($0.type, Self.used(by: $0.supervisor)) } }) ?? []
        return Self.memory(
            used: Dictionary(grouping: used, by: \.0).mapValues { $0.map(\.1) },
            groups: manifest.groups(scale: wanted), available: available, reserve: reserve, live: live.number)
    }

    /// - Parameters:
    ///   - used: bytes of each instance that runs, by type.
    ///   - groups: what is started beside them.
    ///   - available: bytes.
    ///   - reserve: of them, those that others are left.
    static func memory(
        used: [String: [Int]], groups: [ProcessGroup], available: Int, reserve: Int = 0, live: Int
    ) -> Warning? {
        let all = used.values.joined().reduce(0, +)
        // What may not run twice is stopped first. Of a type that is new nothing is known.
        let beside = groups.filter { $0.worker?.overlaps ?? true && used[$0.name]?.isEmpty == false }
        let needed = beside.reduce(0) { sum, group in
            let instances = used[group.name] ?? []
            return sum + instances.reduce(0, +) / max(1, instances.count) * group.instances
        }
        let free = max(0, available - reserve)
        guard needed > free else { return nil }
        let count = beside.reduce(0) { $0 + $1.instances }
        let kept =
            reserve > 0 ? ["\(reserve >> 20) MiB are kept for others (kinto serve --memory-reserve)"] : []
        return Warning(
            code: "memory-low",
            "release \(live) uses \(all >> 20) MiB now, \(needed >> 20) MiB more are needed while the next one starts beside it, and \(free >> 20) MiB are available",
            evidence: ["\(needed >> 20) MiB for \(count) instance\(count == 1 ? "" : "s")"] + kept,
            hint: .init(
                "free memory, or set rollout.strategy to \"recreate\": the old release is stopped first"))
    }

    /// Bytes of a supervisor's whole tree; of pages that several share each has its part.
    private static func used(by supervisor: ProcessIdentity) -> Int {
        guard supervisor.isRunning else { return 0 }
        return ProcessTable.descendants(of: supervisor.pid).reduce(0) { sum, pid in
            let text = (try? Files.read("/proc/\(pid)/smaps_rollup", limit: 1 << 16)) ?? []
            let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "Pss:".utf8) }
            let own = line.flatMap(number).map { $0 << 10 }
            return sum + (own ?? (ProcessTable.stat(pid)?.residentPages ?? 0) * Int(getpagesize()))
        }
    }

    /// The digits of a line.
    private static func number(_ line: some Collection<UInt8>) -> Int? {
        Int(String(decoding: line.filter { (48...57).contains($0) }, as: UTF8.self))
    }

    /// Of the machine, or of the container that this is.
    private static var available: Int? {
        guard let text = try? Files.read("/proc/meminfo", limit: 1 << 16) else { return nil }
        let line = text.split(separator: UInt8(ascii: "\n")).first { $0.starts(with: "MemAvailable:".utf8) }
        guard let kibibytes = line.flatMap(number) else { return nil }
        func group(_ name: String) -> Int? {
            (try? Files.read("/sys/fs/cgroup/\(name)", limit: 64)).flatMap {
                Int(String(decoding: $0.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self))
            }
        }
        let own = kibibytes << 10
        guard let limit = group("memory.max"), let current = group("memory.current") else { return own }
        // What was read from disks and can be given back.
        let statistics = (try? Files.read("/sys/fs/cgroup/memory.stat", limit: 1 << 16)) ?? []
        let cached = statistics.split(separator: UInt8(ascii: "\n")).first {
            $0.starts(with: "inactive_file ".utf8)
        }
        return min(own, max(0, limit - current + (cached.flatMap(number) ?? 0)))
    }

    // MARK: The proxy

    private func proxy() async -> Warning? {
        let driver = routes.driver
        let answer = await atMost(Self.patience) { () -> String? in
            do {
                _ = try await driver.status()
                return nil
            } catch let failure as Failure { return failure.message } catch { return "\(error)" }
        }
        let problem: String
        switch answer {
        case .some(nil): return nil
        case .some(let words?): problem = words
        case nil: problem = "no answer within \(Self.patience)"
        }
        return Warning(
            code: "proxy-unreachable", "the proxy does not answer now, and without it there is no swap",
            evidence: [problem],
            hint: .init("see what is wrong with it", command: "kinto doctor"))
    }

    // MARK: Certificates

    private func certificates(_ hosts: [String]) async -> [Warning] {
        let served = (try? await routes.certificates()) ?? []
        return Self.certificates(served, for: hosts, now: Timestamp.now.milliseconds / 1000)
    }

    /// Of each host the certificate that lasts longest counts.
    /// - Parameter now: Unix seconds.
    static func certificates(_ served: [ServedCertificate], for hosts: [String], now: Int64) -> [Warning] {
        var told: Set<String> = []
        return hosts.compactMap { host in
            let own = served.filter { $0.hosts.contains { covers($0, host) } }
            guard let best = own.max(by: { ($0.ends ?? .min) < ($1.ends ?? .min) }) else { return nil }
            let days = best.ends.map { ($0 - now) / 86_400 }
            guard days.map({ $0 < certificateDays }) ?? true, told.insert(best.name).inserted else {
                return nil
            }
            let words =
                best.ends.map { $0 <= now ? "has expired" : "expires in \(($0 - now) / 86_400) days" }
                ?? "is not usable"
            return Warning(
                code: "certificate-expires", "the certificate of \(host) \(words)",
                evidence: [best.problem.map { "\(best.name): \($0)" } ?? best.name],
                hint: .init(
                    "put a new one in force, or see why it is not renewed", command: "kinto certificate list")
            )
        }
    }

    /// `*` stands for one label (RFC 6125).
    private static func covers(_ pattern: String, _ host: String) -> Bool {
        let (pattern, host) = (pattern.lowercased(), host.lowercased())
        guard pattern.hasPrefix("*.") else { return pattern == host }
        return host.firstIndex(of: ".").map { host[$0...] == pattern.dropFirst() } ?? false
    }
}
