// SPDX-License-Identifier: Apache-2.0
import Testing

/// A short run of what `make fuzz` does at length.
struct InvariantTests {
    @Test func whatIsForwardedIsWhatWasRead() throws {
        for bytes in try Corpus.messages() {
            if let problem = MessageInvariants.problem(in: bytes) {
                Issue.record("\(problem): \(text(bytes))")
            }
        }
    }

    @Test func mutationsOfTheCorpusKeepTheInvariants() throws {
        // Another run each time; the seed is told when it finds something.
        let seed = UInt64.random(in: 0 ... .max)
        var mutator = MessageMutator(seed: seed, corpus: try Corpus.messages())
        let clock = ContinuousClock()
        let end = clock.now + .seconds(3)
        var count = 0
        while count < 100_000, clock.now < end || count < 1_000 {
            let bytes = mutator.next()
            if let problem = MessageInvariants.problem(in: bytes) {
                Issue.record("\(problem), seed \(seed): \(text(bytes))")
            }
            count += 1
        }
    }
}
