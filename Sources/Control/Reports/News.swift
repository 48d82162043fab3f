// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// What people are told: the first failure after something went well, and the first success after a failure. All else is no news.
protocol News {
    /// `release.failed`
    var type: String { get }
    /// When it happened.
    var at: Timestamp { get }
    /// In one line.
    var text: String { get }
    /// For programs.
    var data: any Encodable { get }
    /// Of a mail.
    var subject: String { get }
    /// Of a mail's body.
    var lines: [String] { get }
    /// The path of a page about it.
    var path: String { get }
    /// The same when it is sent again, and nobody else's: a time in it tells servers apart that report to the same place.
    func identifier(for target: ReportTarget) -> String
}
