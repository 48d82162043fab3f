// SPDX-License-Identifier: Apache-2.0
public import KintoCore
public import Wire

/// What a git hook reports of one push: all references of it at once.
public struct PushRequest: Sendable {
    public struct Update: Sendable, Equatable {
        public let old: CommitID
        public let new: CommitID
        public let reference: String
    }

    public let identifier: String
    public let updates: [Update]
    public let options: [String]
    public let quarantine: String?
    public let directory: String

    /// - Throws: `Failure` of code `malformed`.
    public init(_ fields: Fields) throws(Failure) {
        guard let identifier = fields["id"], identifier.utf8.count <= 64, !identifier.isEmpty else {
            throw Failure(code: "malformed", "the push has no id")
        }
        self.identifier = identifier
        options = fields.all("option")
        quarantine = fields["quarantine"]
        directory = fields["directory"] ?? ""
        var updates: [Update] = []
        for line in fields.all("update") {
            let parts = line.split(separator: " ", maxSplits: 2)
            guard parts.count == 3, let old = CommitID(String(parts[0])), let new = CommitID(String(parts[1]))
            else {
                throw Failure(code: "malformed", "a line of the push is not 'old new ref'")
            }
            updates.append(Update(old: old, new: new, reference: String(parts[2])))
        }
        self.updates = updates
    }

    /// A push may have thousands of references.
    private static let shownNotes = 20

    public var skips: Bool { options.contains("skip") }
    public var noCache: Bool { options.contains("no-cache") }

    /// What deploys, and one line for each update that does not.
    public func plan(branch: String, environment: String) -> (deploy: Update?, notes: [String]) {
        var deploy: Update?
        var notes: [String] = []
        for update in updates {
            let name = update.reference
            if name == "refs/heads/\(branch)" {
                if update.new.isZero {
                    notes.append("branch '\(branch)' was deleted; what runs stays")
                } else if skips {
                    notes.append("push option 'skip': '\(branch)' is not deployed")
                } else {
                    deploy = update
                }
            } else if name.hasPrefix("refs/heads/") {
                let other = name.dropFirst("refs/heads/".count)
                notes.append(
                    "ignored '\(other)': \(environment) deploys '\(branch)'; to deploy this: git push kinto \(other):\(branch)"
                )
            } else if name.hasPrefix("refs/tags/") {
                notes.append(
                    "ignored tag '\(name.dropFirst("refs/tags/".count))': \(environment) deploys branch '\(branch)'"
                )
            } else {
                notes.append("ignored '\(name)': \(environment) deploys branch '\(branch)'")
            }
        }
        if notes.count > PushRequest.shownNotes {
            let more = notes.count - PushRequest.shownNotes
            notes.removeLast(more)
            notes.append("and \(more) other refs that \(environment) does not deploy")
        }
        for option in options where !["skip", "no-cache"].contains(option) && !option.hasPrefix("env=") {
            notes.append(
                "unknown push option '\(option.unicodeScalars.prefix(60).map { $0.escaped(asASCII: true) }.joined())'"
            )
        }
        return (deploy, notes)
    }
}
