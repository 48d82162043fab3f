// SPDX-License-Identifier: Apache-2.0

/// `processes` in kinto.json, and the Procfile beside it.
extension Manifest {
    /// A repository says how many there are; this is the most.
    static let mostTypes = 20
    static let mostInstances = 100

    /// Reads the types; `web`, which may stand among them, becomes `start`.
    mutating func readProcesses(_ top: ObjectReader, _ procfile: Procfile?) {
        let commands = procfile?.types ?? [:]
        for (name, command) in commands where !["web", "release", "run"].contains(name) {
            processes[name] = ProcessType(command: command)
        }
        let list = top.object("processes")
        for name in list.keys {
            let reader = list.object(name)
            switch name {
            case "web": readWeb(reader, list)
            case "release":
                list.complain(name, "is no process type: its command is release.command")
                continue
            case "run":
                list.complain(name, "is what commands of kinto run are called: take another name")
                continue
            default:
                if !ProcessGroup.isName(name) {
                    list.complain(name, "is not a process name: a-z, 0-9, '-' and '_'")
                }
                processes[name] = type(name, reader, list, known: commands[name])
            }
            reader.finish()
        }
        list.finish()
        let groups = groups()
        if groups.count + scheduled().count > Manifest.mostTypes {
            top.complain("processes", "must be at most \(Manifest.mostTypes) types")
        }
        if groups.reduce(0, { $0 + $1.instances }) > Manifest.mostInstances {
            top.complain("processes", "must be at most \(Manifest.mostInstances) instances in all")
        }
    }

    /// The same as `start` and `rollout.instances`, for those who look for it there.
    private mutating func readWeb(_ reader: ObjectReader, _ list: ObjectReader) {
        if let command = reader.string("command", example: "node server.js") {
            if start != nil {
                list.complain("web", "has its command in 'start' already: take one of the two")
            }
            start = command
        }
        if let instances = reader.integer("instances", in: 1...100) { rollout.instances = instances }
    }

    /// - Parameter known: its command in the Procfile.
    private func type(
        _ name: String, _ reader: ObjectReader, _ list: ObjectReader, known: String?
    ) -> ProcessType? {
        let given = reader.string("command", example: "node worker.js")
        guard let command = given ?? known ?? (reader.has("command") ? "-" : nil) else {
            for key in ["instances", "schedule", "timezone", "timeout", "stable", "overlap", "stop"] {
                _ = reader.value(key)
            }
            list.complain(name, "needs a command")
            return nil
        }
        var type = ProcessType(command: command)
        if reader.has("schedule") {
            readSchedule(reader, &type)
        } else {
            readWorker(reader, &type)
        }
        if reader.has("stop") { type.stop = Manifest.stop(reader.object("stop"), usual: rollout.stop) }
        return type
    }

    private func readWorker(_ reader: ObjectReader, _ type: inout ProcessType) {
        if let instances = reader.integer("instances", in: 0...100) { type.instances = instances }
        type.stable = reader.timeSpan("stable")
        if let overlap = reader.string("overlap", example: "never") {
            type.overlap = ProcessType.Overlap(rawValue: overlap)
            if type.overlap == nil { reader.complain("overlap", "must be \"always\" or \"never\"") }
        }
        for key in ["timezone", "timeout"] where reader.value(key) != nil {
            reader.complain(key, "is for types with a schedule")
        }
    }

    private func readSchedule(_ reader: ObjectReader, _ type: inout ProcessType) {
        if let text = reader.string("schedule", example: "0 3 * * *") {
            do throws(ScheduleProblem) { type.schedule = try Schedule(text).description } catch {
                reader.complain("schedule", error.description)
            }
        }
        if let name = reader.string("timezone", example: "Europe/Berlin") {
            type.timezone = name
            if ScheduleZone(name) == nil {
                reader.complain(
                    "timezone", "must be \"UTC\" or a zone like \"Europe/Berlin\", not \"\(shown(name))\"")
            }
        }
        if let overlap = reader.string("overlap", example: "forbid") {
            type.runOverlap = ProcessType.RunOverlap(rawValue: overlap)
            if type.runOverlap == nil {
                reader.complain(
                    "overlap", "must be \"forbid\", \"allow\" or \"replace\" where there is a schedule")
            }
        }
        type.timeout = reader.timeSpan("timeout")
        if type.timeout?.milliseconds == 0 { reader.complain("timeout", "must be more than 0") }
        for key in ["instances", "stable"] where reader.value(key) != nil {
            reader.complain(key, "is for types that run all the time, and this one has a schedule")
        }
    }

    /// The stop sequence.
    /// - Parameter usual: what holds for what is not said.
    static func stop(_ reader: ObjectReader, usual: Stop) -> Stop {
        var stop = usual
        if let name = reader.string("signal", example: "TERM") {
            let signals: [String: Int32] = [
                "HUP": 1, "INT": 2, "QUIT": 3, "KILL": 9, "USR1": 10, "USR2": 12, "TERM": 15,
            ]
            if let signal = signals[name.hasPrefix("SIG") ? String(name.dropFirst(3)) : name] {
                stop.signal = signal
            } else {
                reader.complain("signal", "must be one of \(signals.keys.sorted().joined(separator: ", "))")
            }
        }
        if let grace = reader.timeSpan("grace") { stop.grace = grace }
        reader.finish()
        return stop
    }

    /// The commands before and after a release.
    static func releaseCommand(_ top: ObjectReader, _ procfile: Procfile?) -> ReleaseCommand? {
        let usual = procfile?.types["release"]
        guard top.has("release") else { return usual.map { ReleaseCommand(command: $0) } }
        let reader = top.object("release")
        var release = ReleaseCommand(
            command: reader.string("command", example: "npm run migrate")
                ?? (reader.has("command") ? nil : usual))
        release.after = reader.string("after", example: "npm run warm-cache")
        if let timeout = reader.timeSpan("timeout") { release.timeout = timeout }
        if release.command == nil, release.after == nil, !reader.has("command"), !reader.has("after") {
            top.complain("release", "needs a command, or one in 'after'")
        }
        reader.finish()
        return release
    }
}
