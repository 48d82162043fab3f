// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What the machine has left, for failures that may come of it.
enum HostFacts {
    static func lines(_ directory: String) -> [String] {
        var lines: [String] = []
        if let room = Files.room(directory) {
            lines.append("disk now: \(room.bytes >> 20) MiB and \(room.files) files free where it ran")
        }
        if let text = try? Files.read("/proc/meminfo", limit: 1 << 16) {
            let pattern = (LogPattern("MemTotal: {text}"), LogPattern("MemAvailable: {text}"))
            let found = text.split(separator: 0x0A).map { LogLineText($0) }
            let total = found.lazy.compactMap { pattern.0.match($0)?["text"] }.first
            let free = found.lazy.compactMap { pattern.1.match($0)?["text"] }.first
            if let total, let free { lines.append("memory now: \(free) of \(total) available") }
        }
        return lines
    }
}
