// SPDX-License-Identifier: Apache-2.0
internal import Crypto
public import Wire

/// Which branches of a service get an environment of their own when they are pushed, and how long each stays.
public struct PreviewRule: Sendable, Equatable, Codable {
    /// Of branches, as ``RefPattern`` has it: `feature/*`; or ``pullRequests``.
    public var pattern: String
    /// After the last push, in milliseconds.
    public var lifetime: Int
    /// At most so many at a time.
    public var most: Int
    /// The environment whose variables are copied, secrets included; nil: those of production that are no secrets.
    public var config: EnvironmentName?
    /// Whether pull requests from forks get one, too. Secrets they never get.
    public var forks: Bool

    /// In a pattern's place: not pushes open previews, but a forge's events of pull requests.
    public static let pullRequests = "pull-requests"
    /// Milliseconds.
    public static let longest = 365 * 86_400_000
    public static let usualLifetime = TimeSpan(milliseconds: 7 * 86_400_000)
    public static let usualMost = 10

    /// - Throws: `Failure` of code `invalid-pattern` or `invalid-request`.
    public init(
        pattern: String, lifetime: Int, most: Int, config: EnvironmentName?, forks: Bool = false
    ) throws(Failure) {
        let checked = try RefPattern(pattern)
        guard !checked.isTag else {
            throw Failure(code: "invalid-pattern", "previews are of branches, not of tags")
        }
        // A year, and no more than a machine has ports for.
        guard (60_000...Self.longest).contains(lifetime) else {
            throw Failure(code: "invalid-request", "a preview stays from one minute to 365 days")
        }
        guard (1...100).contains(most) else {
            throw Failure(code: "invalid-request", "from 1 to 100 previews at a time")
        }
        guard !forks || checked.description == Self.pullRequests else {
            throw Failure(
                code: "invalid-request",
                "forks get previews by pull requests only: --preview \(Self.pullRequests) --preview-forks on")
        }
        self.pattern = checked.description
        self.lifetime = lifetime
        self.most = most
        self.config = config
        self.forks = forks
    }

    /// As it was stored, also before there were all of these.
    public init(from decoder: any Decoder) throws {
        let values = try decoder.container(keyedBy: CodingKeys.self)
        pattern = try values.decode(String.self, forKey: .pattern)
        lifetime = try values.decode(Int.self, forKey: .lifetime)
        most = try values.decode(Int.self, forKey: .most)
        config = try values.decodeIfPresent(EnvironmentName.self, forKey: .config)
        forks = try values.decodeIfPresent(Bool.self, forKey: .forks) ?? false
    }

    public var takesPullRequests: Bool { pattern == Self.pullRequests }
    /// `branches 'feature/*'`, `pull requests`
    public var words: String {
        takesPullRequests ? "pull requests" : RefPattern(stored: pattern).words
    }

    public func end(after now: Timestamp) -> Timestamp {
        Timestamp(milliseconds: now.milliseconds + Int64(lifetime))
    }
}

/// The environments of branches: made by a push, gone with the branch.
public enum Preview {
    /// What their names begin with. `environments.preview` of kinto.json is for all of them.
    public static let settings = "preview"
    private static let prefix = "preview-"

    public static func isName(_ environment: String) -> Bool { environment.hasPrefix(prefix) }

    /// `preview-feature-login` of `feature/login`; with a mark of the branch's own where that is another branch's, or too long
    /// for a host name. `preview-pr-8` is for pull request 8 of a fork, and of no branch.
    /// - Parameter taken: whether a name is somebody else's.
    /// - Returns: nil: the service's name leaves no room for one.
    public static func name(
        of branch: String, service: ServiceName, unless taken: (EnvironmentName) -> Bool
    ) -> EnvironmentName? {
        // Of a host name's label, see RFC 1035, 2.3.4: SERVICE--preview-…
        let room = 63 - service.description.utf8.count - 2 - prefix.utf8.count
        let number = PullReference.number(branch)
        let text = number.map { "\(pull)\($0)" } ?? branch
        var slug: [UInt8] = []
        for byte in text.lowercased().utf8 {
            let isPlain =
                (UInt8(ascii: "a")...UInt8(ascii: "z")).contains(byte)
                || (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte)
            if isPlain { slug.append(byte) } else if let last = slug.last, last != dash { slug.append(dash) }
        }
        while slug.last == dash { slug.removeLast() }
        let isFree = number != nil || !isReserved(slug)
        if isFree, !slug.isEmpty, slug.count <= room,
            let name = try? EnvironmentName(prefix + String(decoding: slug, as: UTF8.self)), !taken(name)
        {
            return name
        }
        let mark = hexadecimal(SHA256.hash(data: Array(branch.utf8)).prefix(4))
        guard room >= mark.utf8.count else { return nil }
        var head = slug.prefix(max(0, room - mark.utf8.count - 1))
        while head.last == dash { head.removeLast() }
        let marked = head.isEmpty ? mark : "\(String(decoding: head, as: UTF8.self))-\(mark)"
        guard let name = try? EnvironmentName(prefix + marked), !taken(name) else { return nil }
        return name
    }

    private static let dash = UInt8(ascii: "-")
    private static let pull = "pr-"

    /// Whether it is the name that a pull request of a fork has.
    private static func isReserved(_ slug: [UInt8]) -> Bool {
        let digits = slug.dropFirst(pull.utf8.count)
        return slug.starts(with: pull.utf8) && !digits.isEmpty
            && digits.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
    }

    /// What an event does with the previews of a service.
    public struct Plan: Sendable, Equatable {
        public var opened: [RegisteredEnvironment] = []
        public var renewed: [Target] = []
        public var ended: [RegisteredEnvironment] = []
        /// One line for each branch that gets none, or loses it.
        public var notes: [String] = []
        /// References, in full, of which this is all that happens.
        public var done: Set<String> = []

        public var isEmpty: Bool { opened.isEmpty && renewed.isEmpty && ended.isEmpty && notes.isEmpty }
    }

    /// - Parameters:
    ///   - environments: of the service.
    ///   - changes: references in full, with whether each was removed, in order: what comes last says how it is.
    public static func plan(
        _ service: RegisteredService, _ environments: [RegisteredEnvironment],
        _ changes: [(reference: String, isRemoved: Bool)], now: Timestamp = .now
    ) -> Plan {
        var plan = Plan()
        let known = environments.filter { $0.previewUntil != nil }
        guard service.previews != nil || !known.isEmpty else { return plan }
        // Of pull requests, a push opens none.
        let opening = service.previews.flatMap { $0.takesPullRequests ? nil : $0 }
        let pattern = opening.map { RefPattern(stored: $0.pattern) }
        let others = environments.filter { $0.previewUntil == nil }.map(\.pattern)
        var seen: Set<String> = []
        for (reference, isRemoved) in changes.reversed() where seen.insert(reference).inserted {
            let branch = RefName.short(reference)
            let own = known.first { !$0.isOfFork && RefName.full($0.branch) == reference }
            if isRemoved {
                guard let own else { continue }
                plan.end(own, "\(RefName.words(shown(branch))) was deleted")
            } else if let own {
                if service.previews != nil { plan.renewed.append(own.target) }
            } else if let rule = opening, pattern?.matches(reference) == true,
                !others.contains(where: { $0.matches(reference) })
            {
                plan.open(branch, rule, service, environments, now)
            }
        }
        return plan
    }

    /// For people.
    static func shown(_ text: String) -> String {
        text.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined()
    }
}
