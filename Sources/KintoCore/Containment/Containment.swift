// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import Wire

/// How builds and services are kept from hurting the others: what the server was told, and what this machine allows.
public struct Containment: Sendable {
    /// Of one build, or of one instance.
    public struct Bounds: Sendable, Equatable {
        /// Bytes; 0: none.
        public var memory: Int
        /// Processes and threads; 0: none.
        public var processes: Int

        public init(memory: Int, processes: Int) {
            self.memory = memory
            self.processes = processes
        }
    }

    public var groups = ControlGroups()
    /// Why less is in force than could be.
    public var reasons: [String] = []
    /// A build may ask for less memory in kinto.json, not for more.
    public var build: Bounds
    public var service: Bounds
    /// Bytes of memory that deploys do not count on.
    public var reserve = 0
    /// nil: the server's user.
    public var buildUser: SystemUser?
    public var serviceUser: SystemUser?
    public var sandbox: BuildSandbox?

    /// Defaults: three quarters of the machine's memory and 4096 processes for a build; 8192 for an instance.
    public init(
        build: Bounds = Bounds(memory: Containment.machineMemory / 4 * 3, processes: 4096),
        service: Bounds = Bounds(memory: 0, processes: 8192)
    ) {
        self.build = build
        self.service = service
    }

    /// Bytes.
    public static var machineMemory: Int {
        max(0, sysconf(Int32(_SC_PHYS_PAGES))) * max(0, sysconf(Int32(_SC_PAGESIZE)))
    }

    /// For the build command: it comes after everybody else, and goes first when memory runs out.
    /// - Parameters:
    ///   - memory: what kinto.json asks for.
    ///   - writable: the directories that it may write to.
    public func confineBuild(memory: Int?, writable: [String], workingDirectory: String) -> Confinement {
        Confinement(
            groups: groups.background, memory: buildMemory(memory), processes: build.processes,
            isBackground: true, memoryScore: 900, user: buildUser?.identity,
            sandbox: sandbox?.words(writable: writable, workingDirectory: workingDirectory) ?? [])
    }

    /// The limit in force for a build that asks for `memory`.
    public func buildMemory(_ memory: Int?) -> Int {
        guard let memory else { return build.memory }
        return build.memory > 0 ? min(memory, build.memory) : memory
    }

    /// For the release command: a service's, as far as rights are concerned, held like a build.
    public func confineReleaseCommand() -> Confinement {
        Confinement(
            groups: groups.foreground, memory: build.memory, processes: build.processes, memoryScore: 500,
            user: serviceUser?.identity)
    }

    public func confineService() -> Confinement {
        Confinement(
            groups: groups.foreground, memory: service.memory, processes: service.processes, memoryScore: 0,
            user: serviceUser?.identity)
    }

    // MARK: In words

    /// What is in force.
    public var facts: [(name: String, value: String)] {
        let user = "the server's user"
        func limit(_ controller: ControlGroups.Controller) -> String {
            groups.has(controller) ? "by the kernel" : "by the supervisor"
        }
        return [
            ("processTree", groups.unified != nil ? "cgroup" : "subreaper"),
            ("memory", limit(.memory)), ("processes", limit(.pids)),
            ("cpu", groups.has(.cpu) ? "weight and nice" : "nice"),
            ("buildUser", buildUser?.name ?? user), ("serviceUser", serviceUser?.name ?? user),
            ("buildSandbox", sandbox == nil ? "none" : "bubblewrap"),
        ]
    }

    /// One line for a release's log; nil: everything that the machine could do is in force.
    public var reduced: String? {
        var parts: [String] = []
        if groups.unified == nil { parts.append("process trees are followed by their parents") }
        if !groups.has(.memory) || !groups.has(.pids) { parts.append("limits are watched by the supervisor") }
        return parts.isEmpty ? nil : "Reduced isolation: \(parts.joined(separator: "; ")) (kinto doctor)"
    }
}
