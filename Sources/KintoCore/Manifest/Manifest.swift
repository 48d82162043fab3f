// SPDX-License-Identifier: Apache-2.0

/// What a repository says of its service, read from its kinto.json, valid as a whole and merged for one environment.
/// The defaults of every key stand here and nowhere else.
public struct Manifest: Sendable, Equatable, Codable {
    /// The largest kinto.json that is read, in bytes.
    public static let sizeLimit = 256 << 10

    public struct Build: Sendable, Equatable, Codable {
        /// Given to `/bin/sh -c` in a clean checkout; nil: nothing to build.
        public var command: String?
        /// The directory that is kept, relative to the root.
        public var output = "."
        /// Directories kept between builds.
        public var cache: [String] = []
        public var timeout = TimeSpan.seconds(900)
        public var silence = TimeSpan.seconds(300)
        public var env: [String: String] = [:]
        /// Bytes.
        public var memory: Int?
        public init() {}
    }

    public struct Probe: Sendable, Equatable, Codable {
        /// nil: a TCP connection is enough.
        public var path: String?
        public var status: [StatusRange] = [StatusRange(from: 200, through: 399)]
        /// Sent as the Host header.
        public var host = "localhost"
        public var timeout = TimeSpan.seconds(5)
        public var interval = TimeSpan(milliseconds: 100)
        public var deadline = TimeSpan.seconds(60)
        public var stable = TimeSpan(milliseconds: 0)
        public init() {}
    }

    public struct StatusRange: Sendable, Hashable, Codable {
        public var from: Int
        public var through: Int

        public init(from: Int, through: Int) {
            self.from = from
            self.through = through
        }

        public func contains(_ status: Int) -> Bool { from <= status && status <= through }
    }

    public struct Stop: Sendable, Equatable, Codable {
        /// signal(7) number.
        public var signal: Int32 = 15
        public var grace = TimeSpan.seconds(30)
        public init() {}
    }

    public struct Rollout: Sendable, Equatable, Codable {
        public enum Strategy: String, Sendable, Codable, CaseIterable {
            case rolling, recreate
        }
        public var instances = 1
        public var drain = TimeSpan.seconds(30)
        public var stop = Stop()
        public var watch = TimeSpan.seconds(30)
        public var warm = TimeSpan.seconds(60)
        public var strategy = Strategy.rolling
        public init() {}
    }

    public struct ReleaseCommand: Sendable, Equatable, Codable {
        /// Run before anything of the release starts; nil: nothing is.
        public var command: String?
        /// Run once it is live; nil: nothing is.
        public var after: String?
        /// Of each of the two.
        public var timeout = TimeSpan.seconds(600)

        public init(command: String?) { self.command = command }
    }

    /// A type of processes beside `web`.
    public struct ProcessType: Sendable, Equatable, Codable {
        public enum Overlap: String, Sendable, Codable, CaseIterable {
            /// The new ones are ready before the old ones are stopped.
            case always
            /// The old ones are stopped before the new ones start.
            case never
        }
        /// What becomes of a run that is due while the one before goes on.
        public enum RunOverlap: String, Sendable, Codable, CaseIterable {
            /// It is left out.
            case forbid
            /// Both run.
            case allow
            /// The one before is stopped.
            case replace
        }
        public var command: String
        public var instances = 1
        /// It does not run all the time but then: see `Schedule`.
        public var schedule: String?
        /// Whose clocks the schedule means; nil: UTC.
        public var timezone: String?
        /// Of what has a schedule; nil: forbid.
        public var runOverlap: RunOverlap?
        /// Of each of its runs; nil: ``usualTimeout``.
        public var timeout: TimeSpan?
        /// How long one must run to be ready; nil: ``usualStable``.
        public var stable: TimeSpan?
        /// nil: always.
        public var overlap: Overlap?
        /// nil: as `rollout.stop` says.
        public var stop: Stop?

        public static let usualStable = TimeSpan.seconds(3)
        public static let usualTimeout = TimeSpan.seconds(3600)

        public init(command: String) { self.command = command }
    }

    /// A site of files: nothing of it runs, the proxy has them.
    public struct Site: Sendable, Equatable, Codable {
        /// Where the files are, relative to what is kept.
        public var output: String
        /// The page, relative to the files, that answers where a browser is navigated to what is not there; nil: 404.
        public var fallback: String?
        /// How long files of a release that was replaced still answer.
        public var keep = Site.usualKeep
        public static let usualKeep = TimeSpan.seconds(3600)

        public init(output: String = ".", fallback: String? = nil) {
            self.output = output
            self.fallback = fallback
        }
    }

    /// Files of a web service that the proxy has, too.
    public struct Assets: Sendable, Equatable, Codable {
        /// Relative to what is kept.
        public var directory: String
        /// The path of the URLs that they stand below: `/` or `/static`.
        public var path = "/"
        /// As of `Site`.
        public var keep = Site.usualKeep
        public init(directory: String) { self.directory = directory }
    }

    public struct Git: Sendable, Equatable, Codable {
        /// Whether they are fetched and checked out.
        public var submodules = false
        public init() {}
    }

    public var build = Build()
    /// nil: nothing is said of it.
    public var git: Git?
    /// Runs `web`, given to `/bin/sh -c`; nil: it takes no requests.
    public var start: String?
    public var port: UInt16?
    public var env: [String: String] = [:]
    public var probe = Probe()
    public var rollout = Rollout()
    public var release: ReleaseCommand?
    public var hosts: [String] = []
    public var `static`: Site?
    public var assets: Assets?
    public var processes: [String: ProcessType] = [:]
    public var requires: [String] = []
    public var root = "."
    public var paths: [String] = []
    /// Environments that it has settings for; nil: none.
    public var overridden: [String]?
    /// Sentences about keys that are set and that this version does not act upon.
    public var unsupported: [String] = []

    public init(start: String?) { self.start = start }

    /// Whether requests are answered: by `web`, or with files.
    public var takesRequests: Bool { start != nil || self.static != nil }
}
