// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The processes of a running nginx. A reload answers before anything has changed; they show when it has: new workers
/// come, and the old ones take no connections any more from the moment when their title says that they shut down.
struct NginxWorkers {
    let master: ProcessIdentity

    /// - Parameter pidFile: as in nginx's `pid`.
    /// - Returns: nil when nginx does not run.
    init?(pidFile: String) {
        guard let bytes = try? Files.read(pidFile, limit: 64),
            let pid = Int32(String(decoding: bytes.prefix { (48...57).contains($0) }, as: UTF8.self)),
            let master = ProcessIdentity(running: pid), master.isRunning,
            NginxWorkers.title(pid)?.hasPrefix("nginx") == true
        else { return nil }
        self.master = master
    }

    /// Those that take connections, and those that only end what they have.
    func now() -> (serving: Set<ProcessIdentity>, ending: Set<ProcessIdentity>) {
        var serving: Set<ProcessIdentity> = []
        var ending: Set<ProcessIdentity> = []
        for pid in ProcessTable.descendants(of: master.pid) {
            guard let title = NginxWorkers.title(pid), title.hasPrefix("nginx: worker process"),
                let worker = ProcessIdentity(running: pid)
            else { continue }
            if title.hasPrefix("nginx: worker process is shutting down") {
                ending.insert(worker)
            } else {
                serving.insert(worker)
            }
        }
        return (serving, ending)
    }

    /// Nothing for a zombie.
    private static func title(_ pid: Int32) -> String? {
        guard let bytes = try? Files.read("/proc/\(pid)/cmdline"), !bytes.isEmpty else { return nil }
        let text = String(decoding: bytes.map { $0 == 0 ? 0x20 : $0 }, as: UTF8.self)
        return text.contains("nginx") ? String(text.drop { $0 == " " }) : nil
    }

    /// Waits until all of them have ended; false when the time was over first. Blocks.
    static func wait(for workers: Set<ProcessIdentity>, milliseconds: Int) -> Bool {
        let end = ContinuousClock.now + .milliseconds(milliseconds)
        for worker in workers {
            guard let life = worker.open() else { continue }
            while true {
                let left = ContinuousClock.now.duration(to: end).components
                let time = max(0, left.seconds * 1000 + left.attoseconds / 1_000_000_000_000_000)
                var event = pollfd(fd: life.raw, events: Int16(POLLIN), revents: 0)
                let count = poll(&event, 1, Int32(clamping: time))
                if count > 0 { break }
                if count == 0 { return false }
            }
        }
        return true
    }
}
