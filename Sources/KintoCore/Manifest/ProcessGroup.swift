// SPDX-License-Identifier: Apache-2.0

/// The instances of one process type that run as a part of a release.
public struct ProcessGroup: Sendable, Equatable {
    /// What a type without requests is held to.
    public struct Worker: Sendable, Equatable {
        /// It is ready when it has run for so long.
        public var stable: TimeSpan
        /// Whether the old ones and the new ones may run side by side.
        public var overlaps: Bool
    }

    /// `web`, `worker`
    public var name: String
    /// Given to `/bin/sh -c`.
    public var command: String
    public var instances: Int
    /// nil: `web`, which is probed and gets the requests.
    public var worker: Worker?

    public init(name: String, command: String, instances: Int, worker: Worker? = nil) {
        self.name = name
        self.command = command
        self.instances = instances
        self.worker = worker
    }

    /// `worker.1`, `worker.2` …
    public var names: [String] { instances > 0 ? (1...instances).map { "\(name).\($0)" } : [] }

    /// The type of an instance by its name: `worker` of `worker.2`.
    public static func type(of instance: String) -> String {
        instance.lastIndex(of: ".").map { String(instance[..<$0]) } ?? instance
    }

    /// Whether it can be the name of an instance: `worker.2`.
    public static func isInstance(_ name: String) -> Bool {
        let parts = name.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 2 && isName(String(parts[0])) && parts[1].utf8.count <= 12
            && Int(parts[1]).map { $0 > 0 && "\($0)" == parts[1] } == true
    }

    /// Whether it can be the name of a type: a-z, 0-9, '-' and '_', beginning with a letter or digit, at most 63. It is a
    /// part of file names and of variables.
    public static func isName(_ name: String) -> Bool {
        func isPlain(_ byte: UInt8) -> Bool {
            (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
        }
        guard let first = name.utf8.first, isPlain(first), name.utf8.count <= 63 else { return false }
        return name.utf8.allSatisfy { isPlain($0) || $0 == UInt8(ascii: "-") || $0 == UInt8(ascii: "_") }
    }
}

extension Manifest {
    /// What runs all the time, `web` first; types with a schedule do not.
    /// - Parameter scale: numbers of instances by type that the operator wants instead.
    public func groups(scale: [String: Int] = [:]) -> [ProcessGroup] {
        var groups: [ProcessGroup] = []
        if let start {
            groups.append(
                ProcessGroup(
                    name: "web", command: start, instances: max(1, scale["web"] ?? rollout.instances)))
        }
        // Of a release that was made before they were acted upon: it is what it was.
        guard !unsupported.contains(Manifest.processesUnsupported) else { return groups }
        for (name, type) in processes.sorted(by: { $0.key < $1.key }) where type.schedule == nil {
            groups.append(
                ProcessGroup(
                    name: name, command: type.command, instances: scale[name] ?? type.instances,
                    worker: .init(
                        stable: type.stable ?? Manifest.ProcessType.usualStable,
                        overlaps: type.overlap != .never)))
        }
        return groups
    }

    /// What an earlier version noted of a kinto.json with `processes`.
    static let processesUnsupported = "processes in kinto.json is not acted upon by this version"

    /// How instances of a type are stopped.
    public func stop(of type: String) -> Stop { processes[type]?.stop ?? rollout.stop }

    /// The longest that its instances may take to end, side by side.
    public var longestGrace: TimeSpan {
        processes.values.compactMap { $0.stop?.grace }.max().map { max($0, rollout.stop.grace) }
            ?? rollout.stop.grace
    }
}
