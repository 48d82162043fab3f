// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

extension ProxyReply.Counters {
    /// Without the times of the answers, which no two runs have alike; each answer has one.
    var untimed: Self {
        var counters = self
        #expect(times.total >= recent)
        counters.times = AnswerTimes()
        return counters
    }
}
