// SPDX-License-Identifier: Apache-2.0

/// Why a text is no schedule, with what would be one.
public struct ScheduleProblem: Error, Sendable, Equatable, CustomStringConvertible {
    /// Goes after the name of the key.
    public let description: String

    init(_ description: String) { self.description = description }
}

extension Schedule {
    private static let shorthands = [
        "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
        "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
    ]

    /// Reads the five fields of crontab(5), or one of `@hourly`, `@daily`, `@weekly`, `@monthly`, `@yearly`.
    public init(_ text: String) throws(ScheduleProblem) {
        guard text.utf8.count <= 1000 else { throw ScheduleProblem("is longer than 1000 bytes") }
        let plain = text.split { $0 == " " || $0 == "\t" }
        var fields = plain
        if fields.count == 1, let word = fields.first, word.hasPrefix("@") {
            guard let meaning = Schedule.shorthands[word.lowercased()] else {
                throw ScheduleProblem(
                    word.lowercased() == "@reboot"
                        ? "cannot be @reboot: a type without a schedule runs all the time, and release.after once it is live"
                        : "is none of \(Schedule.shorthands.keys.sorted().joined(separator: ", ")), nor five fields"
                )
            }
            fields = meaning.split(separator: " ")
        }
        if let first = fields.first, first.hasPrefix("CRON_TZ=") || first.hasPrefix("TZ=") {
            throw ScheduleProblem("has no place for a zone: write it in 'timezone' beside it")
        }
        guard fields.count == 5 else {
            throw ScheduleProblem(
                "must have five fields, minute, hour, day, month, weekday, like \"0 3 * * *\"; it has \(fields.count)"
            )
        }
        self.init(
            plain.joined(separator: " "), minutes: try CronField.minute.read(fields[0]),
            hours: try CronField.hour.read(fields[1]), days: try CronField.day.read(fields[2]),
            months: try CronField.month.read(fields[3]), weekdays: try CronField.weekday.read(fields[4]))
        guard everComes else {
            throw ScheduleProblem("never comes: no such month has such a day")
        }
    }
}
