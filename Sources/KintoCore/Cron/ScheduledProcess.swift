// SPDX-License-Identifier: Apache-2.0

/// A process type that does not run all the time but when its schedule says so.
public struct ScheduledProcess: Sendable, Equatable {
    /// `nightly`
    public var type: String
    /// Given to `/bin/sh -c`.
    public var command: String
    public var schedule: Schedule
    public var zone: ScheduleZone
    /// What becomes of a run that is due while the one before goes on.
    public var overlap: Manifest.ProcessType.RunOverlap
    /// The longest that it may run.
    public var timeout: TimeSpan
    public var stop: Manifest.Stop

    /// What decides when it is due, in words that stay the same as long as that does.
    public var times: String { "\(schedule) \(zone)" }
}

extension Manifest {
    /// Types with a schedule, by name.
    public func scheduled() -> [ScheduledProcess] {
        processes.sorted { $0.key < $1.key }.compactMap { name, type in
            // Of a release that was made before they were acted upon: it is what it was.
            guard let text = type.schedule, !unsupported.contains(Manifest.scheduleUnsupported(name)),
                let schedule = try? Schedule(text)
            else { return nil }
            return ScheduledProcess(
                type: name, command: type.command, schedule: schedule,
                zone: type.timezone.flatMap { ScheduleZone($0) } ?? .utc, overlap: type.runOverlap ?? .forbid,
                timeout: type.timeout ?? ProcessType.usualTimeout, stop: stop(of: name))
        }
    }

    /// What is run of the artifact, all the time or when it is due, each with what it is called in texts.
    public var commands: [(what: String, command: String)] {
        groups().map { ($0.worker == nil ? "start" : "process \($0.name)", $0.command) }
            + scheduled().map { ("process \($0.type)", $0.command) }
    }

    /// What an earlier version noted of a type with a schedule.
    static func scheduleUnsupported(_ type: String) -> String {
        "processes.\(type).schedule in kinto.json is not acted upon by this version"
    }
}
