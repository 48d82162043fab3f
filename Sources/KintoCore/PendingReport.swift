// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What a target was not told yet.
public struct PendingReport: Sendable {
    /// What it is about.
    public enum Subject: Sendable {
        /// Its present state. `told` is the one that the target knows; `before`, how the release before it of the same environment
        /// ended, nil if there was none.
        case release(Release, told: Release.Status?, before: Release.Status?)
        case cron(CronNews)
    }

    public let target: ReportTarget
    public let subject: Subject
    /// How often this was tried.
    public let attempts: Int
    /// Of a release that was superseded: whether an earlier one is live with the same commit.
    public let isRepetition: Bool

    public init(target: ReportTarget, subject: Subject, attempts: Int, isRepetition: Bool = false) {
        self.target = target
        self.subject = subject
        self.attempts = attempts
        self.isRepetition = isRepetition
    }

    /// Whose news it is.
    public var place: Target {
        switch subject {
        case .release(let release, _, _): release.target
        case .cron(let news): news.run.target
        }
    }

    /// For the operator: `release hello/production/7`, `nightly.12 of hello/production`
    public var words: String {
        switch subject {
        case .release(let release, _, _): "release \(release.upstream)"
        case .cron(let news): "\(news.run.name) of \(news.run.target)"
        }
    }

    /// What it is to be told of that.
    public var state: String {
        switch subject {
        case .release(let release, _, _): release.status.rawValue
        case .cron(let news): news.run.end?.outcome.rawValue ?? ""
        }
    }
}

/// A run by a schedule that ended otherwise than those before it of its type: the first that failed, or the first that succeeded
/// after such.
public struct CronNews: Sendable, Equatable {
    /// Unique in a home; later ones have higher ones.
    public var id: Int64
    public var run: Run
    public var isFailure: Bool

    public init(id: Int64, run: Run, isFailure: Bool) {
        self.id = id
        self.run = run
        self.isFailure = isFailure
    }
}
