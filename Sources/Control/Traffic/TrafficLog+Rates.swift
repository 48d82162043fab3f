// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

extension TrafficLog {
    /// What a target had of late, all its releases together.
    struct Rate: Sendable {
        var requests = 0.0
        var errors = 0.0
        var times = AnswerTimes()
    }

    /// A second, by target; those without requests have none.
    struct Rates: Sendable {
        /// Over how many seconds they were counted.
        let seconds: Double
        let targets: [Target: Rate]
    }

    /// Over how many seconds a rate is taken, if there are looks of so long.
    static let span = 10.0
    /// A look that is older tells nothing of now.
    static let late = Duration.seconds(30)
    /// Within less than so many seconds one request is as good as none.
    static let least = 0.5

    /// nil: the proxy was not asked twice of late, or did not answer.
    func rates(now: Timestamp = .now) -> Rates? {
        let oldest = now.milliseconds - Int64(TrafficLog.late / .milliseconds(1))
        var seconds = 0.0
        var begin: Timestamp?
        for look in looks.reversed() where look.at.milliseconds >= oldest && seconds < TrafficLog.span {
            seconds += look.seconds
            begin = look.at
        }
        guard let begin, seconds >= TrafficLog.least else { return nil }
        var targets: [Target: Rate] = [:]
        for (target, samples) in samples {
            var rate = Rate()
            for sample in samples.reversed() {
                guard sample.at >= begin else { break }
                rate.requests += Double(sample.requests) / seconds
                rate.errors += Double(max(sample.errors, sample.failed)) / seconds
                rate.times += sample.times
            }
            if rate.requests > 0 { targets[target] = rate }
        }
        return Rates(seconds: seconds, targets: targets)
    }
}
