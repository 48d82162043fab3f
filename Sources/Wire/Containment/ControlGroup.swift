// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// One group of processes: of one build, or of one instance and everything that it starts. What is born in it stays in
/// it, whatever parent or session it takes.
public struct ControlGroup: Sendable {
    /// What was used at most, and how often a limit was met.
    public struct Usage: Sendable, Equatable {
        /// Bytes; nil: not counted.
        public var peakMemory: Int?
        public var peakProcesses: Int?
        /// Processes that were ended because memory ran out, in the group or on the machine.
        public var memoryKills = 0
        /// Processes and threads that could not be started because of the limit.
        public var refusedProcesses = 0

        public init() {}
    }

    public let groups: ControlGroups
    public let name: String

    /// - Parameter name: of letters, digits, dots and hyphens; everything else becomes a hyphen.
    public init(_ groups: ControlGroups, name: String) {
        self.groups = groups
        let safe = name.utf8.prefix(200).map { byte -> UInt8 in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "."):
                byte
            default: UInt8(ascii: "-")
            }
        }
        // Files of the kernel's own begin with the name of a controller and a dot, and directories with two.
        self.name = "group-" + String(decoding: safe, as: UTF8.self)
    }

    /// In the hierarchy of version 2.
    public var unifiedDirectory: String? { groups.unified.map { "\($0)/\(name)" } }

    private func directory(_ controller: ControlGroups.Controller) -> String? {
        if groups.controllers.contains(controller) { return unifiedDirectory }
        return groups.legacy[controller].map { "\($0)/\(name)" }
    }

    /// The files that a process writes itself into to be in the group.
    var entrances: [String] { directories.map { "\($0)/cgroup.procs" } }

    // MARK: Making

    /// Makes it; one that is there is taken as it is.
    public func make() throws(SystemError) {
        if let unified = groups.unified {
            // Another process may remove the directory of all groups when it is empty.
            for attempt in 1... {
                try directory(unified)
                // One by one: one that is not to be had keeps the others from being had. At the top they have to be
                // given, too.
                for parent in [Files.parent(of: unified), unified] {
                    let available = ControlGroups.words("\(parent)/cgroup.controllers")
                    let given = ControlGroups.words("\(parent)/cgroup.subtree_control")
                    for controller in ControlGroups.Controller.allCases.map(\.rawValue)
                    where available.contains(controller) && !given.contains(controller) {
                        try? Self.write("+\(controller)", to: "\(parent)/cgroup.subtree_control")
                    }
                }
                do throws(SystemError) {
                    try directory("\(unified)/\(name)")
                    break
                } catch { if error.code != ENOENT || attempt == 5 { throw error } }
            }
        }
        for parent in Set(groups.legacy.values) {
            for attempt in 1... {
                try directory(parent)
                do throws(SystemError) {
                    try directory("\(parent)/\(name)")
                    break
                } catch { if error.code != ENOENT || attempt == 5 { throw error } }
            }
        }
    }

    private func directory(_ path: String) throws(SystemError) {
        if mkdir(path, 0o755) != 0, errno != EEXIST { throw .last("mkdir", path) }
    }

    /// Has the kernel hold it to limits, as far as it can.
    /// - Throws: when one that it could cannot be set.
    public func limit(memory: Int, processes: Int, isBackground: Bool) throws(SystemError) {
        if memory > 0, let directory = directory(.memory) {
            if groups.controllers.contains(.memory) {
                try Self.write("\(memory)", to: "\(directory)/memory.max")
                // Memory that is moved to the disk hurts the others, too. Absent without swap.
                try? Self.write("0", to: "\(directory)/memory.swap.max")
                if isBackground { try? Self.write("1", to: "\(directory)/memory.oom.group") }
            } else {
                try Self.write("\(memory)", to: "\(directory)/memory.limit_in_bytes")
                try? Self.write("\(memory)", to: "\(directory)/memory.memsw.limit_in_bytes")
            }
        }
        if processes > 0, let directory = directory(.pids) {
            try Self.write("\(processes)", to: "\(directory)/pids.max")
        }
        if isBackground, let directory = directory(.cpu) {
            for place in [directory, Files.parent(of: directory)] { lowerShare(place) }
        }
    }

    /// Whether it and its neighbours, the other builds, run in the time only that nobody else wants (cpu.idle), or have their
    /// share.
    /// - Returns: false: the kernel does not offer it, as before Linux 5.15.
    @discardableResult
    public func yieldProcessor(_ yields: Bool) -> Bool {
        guard let directory = directory(.cpu) else { return false }
        let parent = Files.parent(of: directory)
        guard Files.exists("\(parent)/cpu.idle"),
            (try? Self.write(yields ? "1" : "0", to: "\(parent)/cpu.idle")) != nil
        else { return false }
        // It has the weight of everybody then.
        if !yields { lowerShare(parent) }
        return true
    }

    /// A fifth of what the others get when all want the processor.
    private func lowerShare(_ place: String) {
        if groups.controllers.contains(.cpu) {
            try? Self.write("20", to: "\(place)/cpu.weight")
        } else {
            try? Self.write("205", to: "\(place)/cpu.shares")
        }
    }

    // MARK: Looking

    /// Microseconds since it was made.
    public struct ProcessorUse: Sendable, Equatable {
        /// Of processors that it had.
        public let used: Int64
        /// For which something of it waited for one.
        public let waited: Int64
    }

    /// nil: not told; it takes version 2 and pressure stall information.
    public var processorUse: ProcessorUse? {
        guard let directory = unifiedDirectory,
            let used = ControlGroups.lines("\(directory)/cpu.stat").first(where: {
                $0.hasPrefix("usage_usec ")
            })
            .flatMap({ Int64($0.dropFirst("usage_usec ".count)) }),
            let waited = ControlGroups.words("\(directory)/cpu.pressure").first(where: {
                $0.hasPrefix("total=")
            })
            .flatMap({ Int64($0.dropFirst("total=".count)) })
        else { return nil }
        return ProcessorUse(used: used, waited: waited)
    }

    /// Whether a process of it lives; nil: not known, without version 2.
    public var isPopulated: Bool? {
        guard let directory = unifiedDirectory else { return nil }
        for line in ControlGroups.lines("\(directory)/cgroup.events") where line.hasPrefix("populated ") {
            return line != "populated 0"
        }
        // Gone.
        return false
    }

    /// Its processes and those of groups within it.
    public var processes: [Int32] {
        guard let directory = unifiedDirectory else { return [] }
        return Self.processes(directory, depth: 0)
    }

    private static func processes(_ directory: String, depth: Int) -> [Int32] {
        var found = ControlGroups.words("\(directory)/cgroup.procs").compactMap { Int32($0) }
        guard depth < 32 else { return found }
        for child in subgroups(directory) { found += processes(child, depth: depth + 1) }
        return found
    }

    private static func subgroups(_ directory: String) -> [String] {
        ((try? Files.list(directory)) ?? []).map { "\(directory)/\($0)" }.filter { Files.isDirectory($0) }
    }

    /// Whether the process is in it now.
    public func contains(_ pid: Int32) -> Bool {
        guard let directory = unifiedDirectory else { return false }
        for line in ControlGroups.lines("/proc/\(pid)/cgroup") where line.hasPrefix("0::") {
            let path = line.dropFirst(3)
            // The mount may show a part of the hierarchy: what is known is the end of the path.
            return path.split(separator: "/").contains(Substring(name)) && directory.hasSuffix("/\(name)")
        }
        return false
    }

    public var usage: Usage {
        var usage = Usage()
        func number(_ path: String) -> Int? { ControlGroups.words(path).first.flatMap { Int($0) } }
        func count(_ word: String, in path: String) -> Int {
            let line = ControlGroups.lines(path).first { $0.hasPrefix("\(word) ") }
            return line.flatMap { Int($0.dropFirst(word.count + 1)) } ?? 0
        }
        if let directory = directory(.memory) {
            if groups.controllers.contains(.memory) {
                usage.peakMemory = number("\(directory)/memory.peak")
                usage.memoryKills = count("oom_kill", in: "\(directory)/memory.events")
            } else {
                usage.peakMemory = number("\(directory)/memory.max_usage_in_bytes")
                usage.memoryKills = count("oom_kill", in: "\(directory)/memory.oom_control")
            }
        }
        if let directory = directory(.pids) {
            usage.peakProcesses = number("\(directory)/pids.peak")
            usage.refusedProcesses = count("max", in: "\(directory)/pids.events")
        }
        return usage
    }

    /// The file that tells how often a process was refused. Of version 2, poll(2) tells with POLLPRI that it changed, at most
    /// a hundred times a second.
    public var refusals: String? { directory(.pids).map { "\($0)/pids.events" } }

    // MARK: Ending

    /// SIGKILL to all of it at once, also to what is born meanwhile. False: without version 2.
    @discardableResult
    public func kill() -> Bool {
        guard let directory = unifiedDirectory else { return false }
        return (try? Self.write("1", to: "\(directory)/cgroup.kill")) != nil
    }

    /// Where it is: that of version 2 first.
    public var directories: [String] {
        (unifiedDirectory.map { [$0] } ?? []) + Set(groups.legacy.values).sorted().map { "\($0)/\(name)" }
    }

    /// Ends what is in a group, waits until that is gone, at most two seconds, and removes it.
    public static func end(_ directories: [String]) {
        for directory in directories {
            let events = "\(directory)/cgroup.events"
            let file = try? Descriptor.open(events, O_RDONLY)
            var poller = pollfd(fd: file?.raw ?? -1, events: Int16(POLLPRI), revents: 0)
            let latest = ContinuousClock.now + .seconds(2)
            while ControlGroups.lines(events).contains("populated 1"), ContinuousClock.now < latest {
                try? write("1", to: "\(directory)/cgroup.kill")
                poll(&poller, 1, 50)
                var buffer = [UInt8](repeating: 0, count: 256)
                if let file { _ = pread(file.raw, &buffer, buffer.count, 0) }
            }
            remove(directory, depth: 0)
            rmdir(Files.parent(of: directory))
        }
    }

    /// Removes an empty group, and the directory of all groups when it was the last.
    public func remove() {
        for directory in directories {
            Self.remove(directory, depth: 0)
            rmdir(Files.parent(of: directory))
        }
    }

    private static func remove(_ directory: String, depth: Int) {
        if rmdir(directory) == 0 || errno == ENOENT || depth >= 32 { return }
        for child in subgroups(directory) { remove(child, depth: depth + 1) }
        rmdir(directory)
    }

    private static func write(_ text: String, to path: String) throws(SystemError) {
        // Written as it is, in one call.
        let file = try Descriptor.open(path, O_WRONLY)
        do { try file.writeAll(text.utf8) } catch {
            throw SystemError("write", path, code: error.code)
        }
    }
}

extension ControlGroups {
    /// Groups that are there, whoever made them.
    public var names: [String] {
        let directories = Set(legacy.values).union(unified.map { [$0] } ?? [])
        return Set(directories.flatMap { (try? Files.list($0)) ?? [] }.filter { $0.hasPrefix("group-") })
            .sorted()
    }

    /// One of `names`.
    public func group(named name: String) -> ControlGroup {
        ControlGroup(self, name: String(name.dropFirst(6)))
    }
}
