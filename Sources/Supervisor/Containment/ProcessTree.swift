// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Wire

/// Everything that the command started and that still runs: what is in its group, and what has this process as its
/// parent, at the latest when its own has ended (PR_SET_CHILD_SUBREAPER).
struct ProcessTree {
    /// nil: the parents alone tell.
    let group: ControlGroup?
    private let root = getpid()

    private init(group: ControlGroup?) { self.group = group }

    /// With a group of its own, which is there before the command is. One that cannot be made is done without.
    /// - Parameter refused: told why.
    static func make(_ spec: SupervisorSpec, refused: (String) -> Void) -> ProcessTree {
        let bounds = spec.confinement
        if bounds.groups.isEmpty { return ProcessTree(group: nil) }
        let group = ControlGroup(bounds.groups, name: spec.identifier)
        // Once more: somebody else may have removed the directory of all groups, empty until then.
        for isLast in [false, true] {
            do {
                try group.make()
                try group.limit(
                    memory: bounds.memory, processes: bounds.processes, isBackground: bounds.isBackground)
                return ProcessTree(group: group)
            } catch {
                group.remove()
                if isLast { refused("\(error)") }
            }
        }
        return ProcessTree(group: nil)
    }

    /// The file that tells of the group's last process: POLLPRI when it changes, until it is read again (kernel's
    /// admin-guide/cgroup-v2). nil: without a group.
    func events() -> Descriptor? {
        guard let directory = group?.unifiedDirectory,
            let file = try? Descriptor.open("\(directory)/cgroup.events", O_RDONLY), ProcessTree.rearm(file)
        else { return nil }
        return file
    }

    /// - Returns: false when the group is gone.
    static func rearm(_ events: Descriptor) -> Bool {
        var buffer = [UInt8](repeating: 0, count: 256)
        return pread(events.raw, &buffer, buffer.count, 0) > 0
    }

    /// Zombies count, as long as they are this process's to wait for.
    var processes: [Int32] {
        let descendants = ProcessTable.descendants(of: root)
        guard let group else { return descendants }
        let known = Set(descendants)
        return descendants + group.processes.filter { !known.contains($0) }
    }

    var isEmpty: Bool {
        group?.isPopulated != true && ProcessTable.descendants(of: root).isEmpty
    }

    func signal(_ signal: Int32) {
        for pid in processes { send(signal, to: pid) }
    }

    /// Has all of it run in the time that nobody else wants (SCHED_IDLE, sched(7)): the end of some hundred processes is
    /// work, too, which they do in their own place. Without this a service beside them had a p99 of 20 to 30 ms, with it 1 to 4.
    func comeLast() {
        for pid in processes where group?.contains(pid) == true || descends(pid) { kinto_come_last(pid) }
    }

    /// SIGKILL to all of it. What escapes even so is met by the next call.
    /// - Parameter isPatient: what is not in the group is not looked for while the group ends: to look through hundreds that
    ///   end takes longer than their end, and keeps a processor from the services.
    func kill(isPatient: Bool) {
        if let group, group.kill(), isPatient, group.isPopulated == true { return }
        // Also what put itself into another group. One that is killed wakes the one that waits for it, which starts
        // the next: first all are made to stand still.
        var known: Set<Int32> = []
        for _ in 0..<100 {
            let found = ProcessTable.descendants(of: root).filter { known.insert($0).inserted }
            if found.isEmpty { break }
            for pid in found { send(SIGSTOP, to: pid) }
        }
        for pid in known { send(SIGKILL, to: pid) }
    }

    /// To a process of the tree, never to another one that was given its number.
    private func send(_ signal: Int32, to pid: Int32) {
        let raw = kinto_pidfd_open(pid)
        guard raw >= 0 else { return }
        let process = Descriptor(owning: raw)
        // Looked at after it was opened: the number cannot change hands under an open pidfd.
        guard group?.contains(pid) == true || descends(pid) else { return }
        kinto_pidfd_send_signal(process.raw, signal)
    }

    private func descends(_ pid: Int32) -> Bool {
        var current = pid
        for _ in 0..<10_000 {
            guard let parent = ProcessTable.stat(current)?.parent, parent > 0 else { return false }
            if parent == root { return true }
            current = parent
        }
        return false
    }

    // MARK: What it uses

    /// Bytes of memory that its processes have for themselves; what they share with others is left out.
    var privateMemory: Int {
        let page = Int(getpagesize())
        return processes.reduce(0) { sum, pid in
            guard let bytes = try? Files.read("/proc/\(pid)/statm") else { return sum }
            let pages = bytes.split(separator: UInt8(ascii: " ")).map {
                Int(String(decoding: $0, as: UTF8.self))
            }
            guard pages.count > 2, let resident = pages[1], let shared = pages[2] else { return sum }
            return sum + max(0, resident - shared) * page
        }
    }
}
