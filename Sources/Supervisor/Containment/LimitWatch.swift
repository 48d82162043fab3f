// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// Holds a tree to its limits: reads what the kernel says of its group, and counts by itself what the kernel does not
/// hold it to.
struct LimitWatch {
    private let bounds: Confinement
    private let mode: SupervisorSpec.Mode
    private let tree: ProcessTree
    private let directory: String
    private(set) var peakMemory: Int?
    private(set) var peakProcesses: Int?
    /// What was told before, of an earlier run of a service.
    private var told = ControlGroup.Usage()
    private var nextLook: Int64 = 0
    private var spareTime: SpareTime?

    init(_ bounds: Confinement, mode: SupervisorSpec.Mode, tree: ProcessTree, directory: String) {
        self.bounds = bounds
        self.directory = directory
        self.mode = mode
        self.tree = tree
        if bounds.isBackground { spareTime = SpareTime(tree.group, now: Monotonic.now) }
    }

    private var countsMemory: Bool { bounds.memory > 0 && !has(.memory) }
    private var countsProcesses: Bool { bounds.processes > 0 && !has(.pids) }
    private var hasFloor: Bool { bounds.freeBytes > 0 || bounds.freeFiles > 0 }
    private func has(_ controller: ControlGroups.Controller) -> Bool {
        tree.group?.groups.has(controller) == true
    }

    /// Monotonic milliseconds: when to look again; nil: when something ends is soon enough.
    var nextTime: Int64? {
        let isCounting = countsMemory || countsProcesses
        let isBounded = bounds.memory > 0 || bounds.processes > 0 || hasFloor
        return isCounting || spareTime != nil || (mode == .job && isBounded) ? nextLook : nil
    }

    /// - Returns: the limit that was met since the last look that told of one.
    mutating func look(_ now: Int64) -> SupervisorState.Cause? {
        // A build that goes wrong does so fast; a service is watched for years. Counting is dearer than asking.
        nextLook = now + (mode == .service ? 1000 : countsMemory || countsProcesses ? 200 : 50)
        spareTime?.look(now)
        var usage = tree.group?.usage ?? ControlGroup.Usage()
        if countsMemory {
            let memory = tree.privateMemory
            usage.peakMemory = memory
            if memory > bounds.memory { usage.memoryKills = told.memoryKills + 1 }
        }
        if countsProcesses {
            let processes = tree.processes.count
            usage.peakProcesses = processes
            if processes > bounds.processes { usage.refusedProcesses = told.refusedProcesses + 1 }
        }
        if let peak = usage.peakMemory { peakMemory = max(peakMemory ?? 0, peak) }
        if let peak = usage.peakProcesses { peakProcesses = max(peakProcesses ?? 0, peak) }
        defer { told = usage }
        if usage.memoryKills > told.memoryKills { return .memory }
        if usage.refusedProcesses > told.refusedProcesses { return .processes }
        return nil
    }

    /// Whether the file system has less left than it has to. Not asked at the end: what has ended fills nothing more.
    var lacksRoom: Bool {
        guard hasFloor, let room = Files.room(directory) else { return false }
        return room.bytes < UInt64(bounds.freeBytes) || room.files < UInt64(bounds.freeFiles)
    }

    /// For the log.
    func words(_ cause: SupervisorState.Cause) -> String {
        switch cause {
        case .memory:
            bounds.memory > 0 ? "out of memory: the limit is \(bounds.memory >> 20) MiB" : "out of memory"
        case .processes: "out of processes: the limit is \(bounds.processes)"
        case .space:
            "out of space: no build goes on with less than \(bounds.freeBytes >> 20) MiB and \(bounds.freeFiles) files free"
        default: cause.rawValue
        }
    }
}
