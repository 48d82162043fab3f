// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Control

/// What builds and services are held to.
struct ContainmentArguments: ParsableArguments {
    @Option(help: "The user that builds run as; none: the server's (default: kinto-build if it exists).")
    var buildUser: String?
    @Option(help: "The user that services run as; none: the server's (default: kinto-service if it exists).")
    var serviceUser: String?
    @Option(
        help: "The most memory of a build, like 2GiB, or none (default: three quarters of the machine's).")
    var buildMemory: String?
    @Option(help: "The most processes and threads of a build; 0: no limit (default: 4096).")
    var buildProcesses: Int?
    @Option(help: "The most memory of an instance, like 512MiB (default: none).")
    var serviceMemory: String?
    @Option(help: "The most processes and threads of an instance; 0: no limit (default: 8192).")
    var serviceProcesses: Int?
    @Option(help: "Memory that is left to others: a deploy that would need it warns (default: none).")
    var memoryReserve: String?
    @Flag(help: "Builds have no network, a read-only system and processes of their own (bubblewrap).")
    var buildSandbox = false

    var choice: ContainmentOptions {
        ContainmentOptions(
            buildUser: buildUser, serviceUser: serviceUser, buildMemory: buildMemory,
            buildProcesses: buildProcesses, serviceMemory: serviceMemory, serviceProcesses: serviceProcesses,
            memoryReserve: memoryReserve,
            isBuildSandboxed: buildSandbox)
    }
}
