// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing
import Wire

@testable import Control

struct TrafficTests {
    private let target: Target

    init() throws { target = Target(service: try ServiceName("hello")) }

    private func counters(_ release: Int, _ requests: UInt64, errors: UInt64 = 0, times: [Int64] = [])
        -> ProxyReply.Counters
    {
        var counts = [UInt64](repeating: 0, count: AnswerTimes.bounds.count + 1)
        for time in times { counts[AnswerTimes.bucket(time)] += 1 }
        var counters = ProxyReply.Counters(
            upstream: "hello/production/\(release)", requests: requests, errors: errors)
        counters.times = AnswerTimes(counts: counts)
        return counters
    }

    @Test func whatIsShownIsWhatCameSinceTheLookBefore() async throws {
        let log = TrafficLog { [] }
        // Since when these were counted is not known.
        await log.take([counters(1, 1000)], over: 1, at: Timestamp(milliseconds: 1000))
        #expect(await log.samples(target).isEmpty)
        await log.take([counters(1, 1010, errors: 2)], over: 1, at: Timestamp(milliseconds: 2000))
        // A release that is new begins with its first request; one without any is not told.
        await log.take(
            [counters(1, 1010, errors: 2), counters(2, 5)], over: 1, at: Timestamp(milliseconds: 3000))
        // A proxy that was started again counts from nothing.
        await log.take([counters(2, 3)], over: 2, at: Timestamp(milliseconds: 5000))
        let samples = await log.samples(target)
        #expect(samples.map(\.release) == [1, 2, 2])
        #expect(samples.map(\.requests) == [10, 5, 3])
        #expect(samples.map(\.errors) == [2, 0, 0])
        #expect(await log.samples(target, after: samples[1].at).map(\.requests) == [3])
        await log.take([counters(2, 4)], over: 600, at: Timestamp(milliseconds: 700_000))
        #expect(await log.samples(target).map(\.requests) == [1])
    }

    @Test func ratesAreOfTheLastTenSecondsAndOfNoOlderTime() async throws {
        let log = TrafficLog { [] }
        func at(_ seconds: Int64) -> Timestamp { Timestamp(milliseconds: seconds * 1000) }
        #expect(await log.rates(now: at(0)) == nil)
        await log.take([counters(1, 1000)], over: 1, at: at(0))
        #expect(await log.rates(now: at(0)) == nil)
        await log.take([counters(1, 1100, errors: 10)], over: 10, at: at(10))
        await log.take([counters(1, 1150, errors: 10)], over: 5, at: at(15))
        await log.take([counters(1, 1150, errors: 10), counters(2, 50, times: [4])], over: 5, at: at(20))
        let rates = try #require(await log.rates(now: at(21)))
        #expect(rates.seconds == 10)
        #expect(rates.targets[target]?.requests == 10 && rates.targets[target]?.errors == 0)
        #expect(rates.targets[target]?.times.total == 1)
        // Who was quiet has none, and who was not asked for long tells nothing.
        await log.take([counters(2, 50, times: [4])], over: 10, at: at(30))
        let quiet = try #require(await log.rates(now: at(31)))
        #expect(quiet.targets.isEmpty && quiet.seconds == 10)
        #expect(await log.rates(now: at(61)) == nil)
    }

    @Test func timesAreAddedAndToldByShares() throws {
        var sum = AnswerTimes()
        for time in [Int64](repeating: 4, count: 98) + [450, 450] {
            var counts = [UInt64](repeating: 0, count: AnswerTimes.bounds.count + 1)
            counts[AnswerTimes.bucket(time)] = 1
            sum += AnswerTimes(counts: counts)
        }
        #expect(sum.total == 100)
        #expect((3...5).contains(try #require(sum.within(0.5))))
        #expect((300...500).contains(try #require(sum.within(0.99))))
        #expect(AnswerTimes(sum.description) == sum)
        #expect(AnswerTimes("1 2 3").isEmpty)
        #expect(AnswerTimes("").within(0.5) == nil)
        #expect(AnswerTimes.bucket(10_000_000) == AnswerTimes.bounds.count)
        #expect(AnswerTimes.bucket(-5) == 0)
        #expect(sum.grown(since: sum).total == 0)
        var counters = ProxyReply.Counters(upstream: "hello/production/1", requests: 7)
        counters.times = sum
        #expect(try ProxyReply(ProxyReply.statistics([counters]).fields) == .statistics([counters]))
    }

    @Test(arguments: [
        ("kinto deploy hello", "/services/hello/production/deploy"),
        ("kinto deploy hello -e staging --no-cache", "/services/hello/staging/deploy?no-cache=1"),
        ("kinto deploy hello --ref …", "/services/hello/production/deploy"),
        ("kinto deploy NAME --no-cache", "/services/web/staging/deploy?no-cache=1"),
        (
            "kinto deploy hello --ref a\"><script>",
            "/services/hello/production/deploy?ref=a%22%3E%3Cscript%3E"
        ),
        ("kinto rollback hello 3", "/services/hello/production/rollback?to=3"),
        ("kinto config hello set DATABASE_URL=…", "/services/hello/production/config?name=DATABASE_URL"),
        ("kinto config hello -e staging list", "/services/hello/staging/config"),
        ("kinto logs hello --console --release 2", "/services/hello/production/releases/2#console"),
        (
            "kinto logs hello --process worker.2 --release 2",
            "/services/hello/production/releases/2?process=worker.2#console"
        ),
        ("kinto promote hello staging production", "/services/hello/staging/promote?to=production"),
        ("kinto serve --public-url URL", nil), ("git push kinto main", nil), ("", nil), ("kinto", nil),
    ])
    func theCommandOfAHintLeadsToThePageThatDoesIt(command: String, path: String?) throws {
        let place = Target(service: try ServiceName("web"), environment: try EnvironmentName("staging"))
        #expect(HintAction(command, at: place)?.path == path)
    }
}
