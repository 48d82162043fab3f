// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

/// A process that cannot be mistaken for another one that was given the same number later: its pid together with
/// its start time and the boot it belongs to (proc_pid_stat(5), field 22).
public struct ProcessIdentity: Sendable, Hashable, Codable {
    public let pid: Int32
    /// Clock ticks since the boot.
    public let startTicks: UInt64
    /// /proc/sys/kernel/random/boot_id
    public let boot: String

    public init(pid: Int32, startTicks: UInt64, boot: String) {
        self.pid = pid
        self.startTicks = startTicks
        self.boot = boot
    }

    /// The identity of a running process, nil when there is none of that number.
    public init?(running pid: Int32) {
        guard let stat = ProcessTable.stat(pid), let boot = ProcessTable.bootIdentifier else { return nil }
        self.init(pid: pid, startTicks: stat.startTicks, boot: boot)
    }

    /// Whether this very process still runs (a zombie does not). What cannot be looked at, for want of a descriptor say,
    /// runs as long as there is a process of its number: only what is gone for sure is given up.
    public var isRunning: Bool {
        guard boot == ProcessTable.bootIdentifier else { return false }
        let found: ProcessTable.Stat?
        do { found = try ProcessTable.read(pid) } catch { return kill(pid, 0) == 0 || errno == EPERM }
        guard let stat = found else { return false }
        return stat.startTicks == startTicks && stat.state != UInt8(ascii: "Z")
            && stat.state != UInt8(ascii: "X")
    }

    /// A pidfd for this very process; nil when it is gone, or when there is no descriptor to be sure with: `isRunning`
    /// tells. The descriptor becomes readable when it ends.
    public func open() -> Descriptor? {
        let raw = kinto_pidfd_open(pid)
        guard raw >= 0 else { return nil }
        let descriptor = Descriptor(owning: raw)
        // Checked after opening: the number cannot change hands under an open pidfd. What cannot be looked at may be
        // another's.
        guard let found = ProcessTable.stat(pid), found.startTicks == startTicks else { return nil }
        return isRunning ? descriptor : nil
    }

    /// Sends a signal to this very process, never to a successor of its number. False when it is gone.
    @discardableResult
    public func send(_ signal: Int32) -> Bool {
        guard let descriptor = open() else { return false }
        return kinto_pidfd_send_signal(descriptor.raw, signal) == 0
    }
}

/// What /proc says of processes.
public enum ProcessTable {
    public struct Stat: Sendable {
        public let state: UInt8
        public let parent: Int32
        public let group: Int32
        public let session: Int32
        public let startTicks: UInt64
        /// Resident memory in pages.
        public let residentPages: Int
        /// The command name, at most 15 bytes.
        public let name: String
    }

    /// This boot's identifier; nil where /proc is not mounted.
    public static let bootIdentifier: String? = {
        guard let bytes = try? Files.read("/proc/sys/kernel/random/boot_id") else { return nil }
        return String(decoding: bytes.prefix { $0 != UInt8(ascii: "\n") }, as: UTF8.self)
    }()

    /// nil when there is no such process, or when it cannot be looked at.
    public static func stat(_ pid: Int32) -> Stat? { (try? read(pid)) ?? nil }

    /// nil when there is no such process.
    /// - Throws: when it cannot be looked at, for want of a descriptor say.
    public static func read(_ pid: Int32) throws(SystemError) -> Stat? {
        let bytes: [UInt8]
        do { bytes = try Files.read("/proc/\(pid)/stat") } catch {
            // ESRCH: it ended between the two calls.
            if error.code == ENOENT || error.code == ESRCH { return nil }
            throw error
        }
        guard let open = bytes.firstIndex(of: UInt8(ascii: "(")),
            let close = bytes.lastIndex(of: UInt8(ascii: ")")), close + 2 < bytes.count, open < close
        else { return nil }
        let fields = bytes[(close + 2)...].split(separator: UInt8(ascii: " "))
        guard fields.count > 21, let state = fields[0].first else { return nil }
        func number<T: FixedWidthInteger>(_ index: Int) -> T? {
            T(String(decoding: fields[index], as: UTF8.self))
        }
        guard let parent: Int32 = number(1), let group: Int32 = number(2), let session: Int32 = number(3),
            let start: UInt64 = number(19), let resident: Int = number(21)
        else { return nil }
        return Stat(
            state: state, parent: parent, group: group, session: session, startTicks: start,
            residentPages: resident,
            name: String(decoding: bytes[(open + 1)..<close], as: UTF8.self))
    }

    /// All process numbers of this namespace.
    public static func all() -> [Int32] { ((try? Files.list("/proc")) ?? []).compactMap { Int32($0) } }

    /// Every descendant of `root`, children before their own children, `root` itself not included. Zombies count.
    public static func descendants(of root: Int32) -> [Int32] {
        var found: [Int32] = []
        var seen: Set<Int32> = []
        var queue = [root]
        while let pid = queue.popLast() {
            for child in children(of: pid) where seen.insert(child).inserted {
                found.append(child)
                queue.append(child)
            }
        }
        return found
    }

    private static func children(of pid: Int32) -> [Int32] {
        guard let tasks = try? Files.list("/proc/\(pid)/task") else { return [] }
        return tasks.flatMap { task -> [Int32] in
            guard let bytes = try? Files.read("/proc/\(pid)/task/\(task)/children") else { return [] }
            return bytes.split(separator: UInt8(ascii: " ")).compactMap {
                Int32(String(decoding: $0, as: UTF8.self))
            }
        }
    }

    /// The inode numbers of the sockets that a process holds open.
    public static func socketInodes(of pid: Int32) -> Set<UInt32> {
        guard let names = try? Files.list("/proc/\(pid)/fd") else { return [] }
        var inodes: Set<UInt32> = []
        var buffer = [UInt8](repeating: 0, count: 64)
        for name in names {
            let length = readlinkBytes("/proc/\(pid)/fd/\(name)", &buffer)
            guard length > 9 else { continue }
            let target = buffer[0..<length]
            guard target.starts(with: "socket:[".utf8) else { continue }
            if let inode = UInt32(String(decoding: target[8..<(length - 1)], as: UTF8.self)) {
                inodes.insert(inode)
            }
        }
        return inodes
    }

    private static func readlinkBytes(_ path: String, _ buffer: inout [UInt8]) -> Int {
        buffer.withUnsafeMutableBytes { bytes in
            bytes.bindMemory(to: CChar.self).baseAddress.map { readlink(path, $0, bytes.count) } ?? -1
        }
    }
}
