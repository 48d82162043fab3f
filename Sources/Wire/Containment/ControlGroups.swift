// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// Where groups of processes can be made (cgroups(7)), found out by trying. Version 2 knows and ends whole trees; the
/// limits come from its controllers, or from those of version 1 where the machine still has them mounted.
public struct ControlGroups: Sendable, Equatable {
    /// What the kernel can hold a group to.
    public enum Controller: String, Sendable, CaseIterable { case memory, pids, cpu }

    /// The directory of version 2 that the groups are made in; nil: none can be used.
    public var unified: String?
    /// The controllers of version 2 that the groups have.
    public var controllers: Set<Controller>
    /// The directories of version 1 that the groups are made in.
    public var legacy: [Controller: String]

    public init(
        unified: String? = nil, controllers: Set<Controller> = [], legacy: [Controller: String] = [:]
    ) {
        self.unified = unified
        self.controllers = controllers
        self.legacy = legacy
    }

    /// Whether the kernel holds groups to a limit of this kind.
    public func has(_ controller: Controller) -> Bool {
        controllers.contains(controller) || legacy[controller] != nil
    }

    /// For what comes after the others on the processor: beside the others, for weights count among neighbours.
    public var background: ControlGroups {
        ControlGroups(
            unified: unified.map { "\($0)-builds" }, controllers: controllers,
            legacy: legacy.mapValues { "\($0)-builds" })
    }

    /// For what has its usual share: of version 1, a group of its own would make it one among all processes.
    public var foreground: ControlGroups {
        var copy = self
        copy.legacy[.cpu] = nil
        return copy
    }

    /// None at all.
    public var isEmpty: Bool { unified == nil && legacy.isEmpty }

    // MARK: Finding out

    /// Tries what this process may do: makes a group, runs a program in it, removes it.
    /// - Parameters:
    ///   - name: of the directory for all groups of one home.
    ///   - reasons: told why something cannot be had.
    public static func probe(_ name: String, reasons: (String) -> Void = { _ in }) -> ControlGroups {
        let mounts = Mounts()
        var groups = ControlGroups()
        if let mount = mounts.unified {
            let own = ownGroup("0::") ?? "/"
            // The first that can be used. Below the top, as Docker does it: a group with processes of its own, as a
            // service of systemd is, cannot give controllers to groups within it. A user has those above his own.
            let parents = ["", Files.parent(of: own), own].map { $0 == "/" ? "" : $0 }
            var trouble = "no reason known"
            for parent in parents {
                let directory = "\(mount)\(parent)/\(name)"
                do throws(SystemError) {
                    groups.controllers = try tryOut(directory)
                    groups.unified = directory
                    break
                } catch { trouble = error.description }
            }
            if groups.unified == nil { reasons("control groups cannot be made: \(trouble)") }
        } else {
            reasons("control groups of version 2 are not mounted")
        }
        for controller in Controller.allCases where !groups.controllers.contains(controller) {
            guard let mount = mounts.legacy[controller] else { continue }
            // Within the own group if that is bounded: what bounds the server bounds what it starts. Else at the top:
            // services outlive whatever the server was started in.
            let own = ownGroup(controller: controller) ?? "/"
            let isBounded = own != "/" && isBounded(controller, below: mount, own)
            let directory = "\(mount)\(isBounded ? own : "")/\(name)"
            do throws(SystemError) {
                try tryOutLegacy(directory)
                groups.legacy[controller] = directory
            } catch { reasons("the controller '\(controller.rawValue)' cannot be used: \(error)") }
        }
        return groups
    }

    /// - Returns: the controllers that groups in `directory` have.
    private static func tryOut(_ directory: String) throws(SystemError) -> Set<Controller> {
        var groups = ControlGroups(unified: directory)
        let group = ControlGroup(groups, name: "probe-\(getpid())")
        defer { group.remove() }
        try group.make()
        guard Files.exists("\(group.unifiedDirectory ?? "")/cgroup.kill") else {
            throw SystemError("kill a control group of", "a kernel before 5.14", code: ENOSYS)
        }
        try run(in: group)
        groups.controllers = Set(
            Controller.allCases.filter { controller in
                words("\(directory)/cgroup.subtree_control").contains(controller.rawValue)
            })
        return groups.controllers
    }

    private static func tryOutLegacy(_ directory: String) throws(SystemError) {
        // The group has it whatever it controls: the key is only for the place.
        let group = ControlGroup(ControlGroups(legacy: [.cpu: directory]), name: "probe-\(getpid())")
        defer { group.remove() }
        try group.make()
        try run(in: group)
    }

    /// Lets a program run in the group, and waits for it.
    private static func run(in group: ControlGroup) throws(SystemError) {
        var spawn = Spawn(path: "/bin/true", arguments: ["true"])
        spawn.group = group
        let pid = try spawn.start()
        var status: Int32 = 0
        try check("waitpid", "true") { waitpid(pid, &status, 0) }
    }

    /// The path of this process's group in the hierarchy whose line of /proc/self/cgroup begins so.
    private static func ownGroup(_ prefix: String) -> String? {
        lines("/proc/self/cgroup").first { $0.hasPrefix(prefix) }.map { String($0.dropFirst(prefix.count)) }
    }

    private static func ownGroup(controller: Controller) -> String? {
        for line in lines("/proc/self/cgroup") {
            let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
            guard parts.count == 3, parts[1].split(separator: ",").contains(Substring(controller.rawValue))
            else { continue }
            return String(parts[2])
        }
        return nil
    }

    /// Whether a group of version 1, or one that it is in, has a limit.
    private static func isBounded(_ controller: Controller, below mount: String, _ own: String) -> Bool {
        var group = own
        while group != "/", group.hasPrefix("/") {
            let directory = mount + group
            let value =
                switch controller {
                case .memory: words("\(directory)/memory.limit_in_bytes").first
                case .pids: words("\(directory)/pids.max").first
                case .cpu: words("\(directory)/cpu.cfs_quota_us").first
                }
            // No limit is the largest number of pages, "max", or -1.
            let number = value.flatMap { Int($0) } ?? -1
            if number >= 0, number < 1 << 60 { return true }
            group = Files.parent(of: group)
        }
        return false
    }

    static func lines(_ path: String) -> [String] {
        guard let bytes = try? Files.read(path) else { return [] }
        return bytes.split(separator: UInt8(ascii: "\n")).map { String(decoding: $0, as: UTF8.self) }
    }

    static func words(_ path: String) -> [String] {
        lines(path).flatMap { $0.split(separator: " ").map(String.init) }
    }

    /// Where the hierarchies are mounted.
    private struct Mounts {
        var unified: String?
        var legacy: [Controller: String] = [:]

        init() {
            for line in ControlGroups.lines("/proc/self/mounts") {
                let parts = line.split(separator: " ")
                guard parts.count >= 4 else { continue }
                // What an administrator mounts elsewhere may be a part only.
                guard parts[1].hasPrefix("/sys/fs/cgroup") else { continue }
                if parts[2] == "cgroup2" {
                    unified = unified ?? String(parts[1])
                } else if parts[2] == "cgroup" {
                    let options = parts[3].split(separator: ",")
                    for controller in Controller.allCases
                    where options.contains(Substring(controller.rawValue)) {
                        legacy[controller] = legacy[controller] ?? String(parts[1])
                    }
                }
            }
        }
    }
}
