// SPDX-License-Identifier: Apache-2.0

/// What `kinto serve` was told about builds and services.
public struct ContainmentOptions: Sendable {
    /// The word for the server's own user.
    public static let none = "none"

    /// The user that builds run as; nil: `kinto-build`, if the server is root and that user exists.
    public var buildUser: String?
    /// The same for services and release commands; nil: `kinto-service`.
    public var serviceUser: String?
    /// The most memory of a build, like `2GiB`, or `none`; nil: three quarters of the machine's.
    public var buildMemory: String?
    public var buildProcesses: Int?
    /// The same for one instance; nil: no limit.
    public var serviceMemory: String?
    public var serviceProcesses: Int?
    /// Memory that deploys do not count on; nil: none.
    public var memoryReserve: String?
    /// Whether builds run in a sandbox of bubblewrap's.
    public var isBuildSandboxed: Bool

    public init(
        buildUser: String? = nil, serviceUser: String? = nil, buildMemory: String? = nil,
        buildProcesses: Int? = nil, serviceMemory: String? = nil, serviceProcesses: Int? = nil,
        memoryReserve: String? = nil,
        isBuildSandboxed: Bool = false
    ) {
        self.buildUser = buildUser
        self.serviceUser = serviceUser
        self.buildMemory = buildMemory
        self.buildProcesses = buildProcesses
        self.serviceMemory = serviceMemory
        self.serviceProcesses = serviceProcesses
        self.memoryReserve = memoryReserve
        self.isBuildSandboxed = isBuildSandboxed
    }
}
