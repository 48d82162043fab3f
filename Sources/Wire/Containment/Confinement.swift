// SPDX-License-Identifier: Apache-2.0

/// What bounds one supervised command and everything that it starts.
public struct Confinement: Sendable, Equatable {
    /// A user by number, with one group and no others.
    public struct User: Sendable, Hashable {
        public let user: UInt32
        public let group: UInt32

        public init(user: UInt32, group: UInt32) {
            self.user = user
            self.group = group
        }
    }

    /// Where its group is made; none: the supervisor keeps the tree together by itself.
    public var groups: ControlGroups
    /// Bytes; 0: no limit.
    public var memory: Int
    /// Processes and threads; 0: no limit.
    public var processes: Int
    /// Of the file system of its working directory: it is ended when less is left. Bytes and files; 0: no limit.
    public var freeBytes = 0
    public var freeFiles = 0
    /// After the others on processor and disk.
    public var isBackground: Bool
    /// For /proc/PID/oom_score_adj; nil: the supervisor's.
    public var memoryScore: Int?
    /// nil: the supervisor's.
    public var user: User?
    /// argv before `/bin/sh`: a program that runs the shell in a place of its own.
    public var sandbox: [String]

    /// Unbounded.
    public init(
        groups: ControlGroups = ControlGroups(), memory: Int = 0, processes: Int = 0,
        isBackground: Bool = false, memoryScore: Int? = nil, user: User? = nil, sandbox: [String] = []
    ) {
        self.groups = groups
        self.memory = memory
        self.processes = processes
        self.isBackground = isBackground
        self.memoryScore = memoryScore
        self.user = user
        self.sandbox = sandbox
    }

    func add(to f: inout Fields) {
        if let unified = groups.unified { f.add("unifiedGroups", unified) }
        for controller in groups.controllers.map(\.rawValue).sorted() { f.add("controller", controller) }
        for (controller, directory) in groups.legacy.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
            f.add("legacyGroups", "\(controller.rawValue):\(directory)")
        }
        f.add("memory", memory)
        f.add("processes", processes)
        f.add("freeBytes", freeBytes)
        f.add("freeFiles", freeFiles)
        f.add("background", isBackground)
        if let memoryScore { f.add("memoryScore", memoryScore) }
        if let user {
            f.add("user", user.user)
            f.add("group", user.group)
        }
        for word in sandbox { f.add("sandbox", word) }
    }

    /// - Throws: when a bound is there and cannot be read: without it nothing may run.
    init(_ f: Fields) throws(WireError) {
        self.init()
        groups.unified = f["unifiedGroups"]
        for name in f.all("controller") {
            guard let controller = ControlGroups.Controller(rawValue: name) else {
                throw .malformed("controller")
            }
            groups.controllers.insert(controller)
        }
        for entry in f.all("legacyGroups") {
            let parts = entry.split(separator: ":", maxSplits: 1).map(String.init)
            guard parts.count == 2, let controller = ControlGroups.Controller(rawValue: parts[0]) else {
                throw .malformed("legacyGroups")
            }
            groups.legacy[controller] = parts[1]
        }
        // Absent in what an older server writes.
        if f["memory"] != nil { memory = max(0, try f.requiredInteger("memory")) }
        if f["processes"] != nil { processes = max(0, try f.requiredInteger("processes")) }
        if f["freeBytes"] != nil { freeBytes = max(0, try f.requiredInteger("freeBytes")) }
        if f["freeFiles"] != nil { freeFiles = max(0, try f.requiredInteger("freeFiles")) }
        isBackground = f.flag("background")
        if f["memoryScore"] != nil {
            memoryScore = min(max(-1000, try f.requiredInteger("memoryScore")), 1000)
        }
        if f["user"] != nil {
            user = User(user: try f.requiredInteger("user"), group: try f.requiredInteger("group"))
        }
        sandbox = f.all("sandbox")
    }
}
