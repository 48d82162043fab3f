// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Testing
import Wire

@testable import KintoCore

struct ScheduleTests {
    private func time(_ text: String) throws -> Timestamp {
        let date = try Date.ISO8601FormatStyle().parse(text)
        return Timestamp(milliseconds: Int64(date.timeIntervalSince1970 * 1000))
    }

    /// The next times after one, as RFC 3339 of the zone without seconds.
    private func next(_ schedule: String, _ zone: String, after: String, count: Int = 1) throws -> [String] {
        let (schedule, zone) = (try Schedule(schedule), try #require(ScheduleZone(zone)))
        var (times, at): ([String], Timestamp) = ([], try time(after))
        for _ in 0..<count {
            at = try #require(schedule.next(after: at, in: zone))
            let text = at.rfc3339(in: zone)
            times.append(String(text.prefix(16) + text.suffix(6)))
        }
        return times
    }

    @Test(arguments: [
        ("0 3 * * *", "2026-11-23T03:00:00Z", "2026-11-24T03:00+00:00"),
        ("*/15 * * * *", "2026-11-23T03:01:59Z", "2026-11-23T03:15+00:00"),
        ("@hourly", "2026-11-23T03:01:59Z", "2026-11-23T04:00+00:00"),
        ("@Weekly", "2026-11-23T03:01:59Z", "2026-11-29T00:00+00:00"),
        ("5,10-12 9-17/4 * jan,Mar mon-FRI", "2026-11-23T00:00:00Z", "2027-01-01T09:05+00:00"),
        ("0 0 29 2 *", "2026-11-23T00:00:00Z", "2028-02-29T00:00+00:00"),
        // Both restricted: either; one a star, also with a step: both.
        ("0 0 13 * 5", "2026-11-23T00:00:00Z", "2026-11-27T00:00+00:00"),
        ("0 0 13 * */5", "2026-11-23T00:00:00Z", "2026-12-13T00:00+00:00"),
        ("0 0 29 2 */7", "2026-11-23T00:00:00Z", "2032-02-29T00:00+00:00"),
        ("0 0 * * 7", "2026-11-23T00:00:00Z", "2026-11-29T00:00+00:00"),
        ("0 0 * * fri-sun", "2026-11-23T00:00:00Z", "2026-11-27T00:00+00:00"),
        ("59 23 31 12 *", "1969-12-31T00:00:00Z", "1970-12-31T23:59+00:00"),
    ])
    func theNextTimeIsThatOfCrontab(text: String, after: String, expected: String) throws {
        #expect(try next(text, "UTC", after: after) == [expected])
    }

    @Test func aTimeThatIsPassedOverComesRightAfter() throws {
        // 2027-03-28: 02:00 +01:00 is 03:00 +02:00.
        #expect(
            try next("30 2 * * *", "Europe/Berlin", after: "2027-03-27T12:00:00Z", count: 2)
                == ["2027-03-28T03:00+02:00", "2027-03-29T02:30+02:00"])
        // Several at once are one.
        #expect(
            try next("0,30 2,3 * * *", "Europe/Berlin", after: "2027-03-28T00:59:00Z", count: 2)
                == ["2027-03-28T03:00+02:00", "2027-03-28T03:30+02:00"])
        #expect(
            try next("*/30 * * * *", "Europe/Berlin", after: "2027-03-28T00:29:00Z", count: 2)
                == ["2027-03-28T01:30+01:00", "2027-03-28T03:00+02:00"])
        // A whole day (Samoa, 2011-12-30).
        #expect(
            try next("0 9 30 * *", "Pacific/Apia", after: "2011-12-01T12:00:00Z", count: 2)
                == ["2011-12-31T00:00+14:00", "2012-01-30T09:00+14:00"])
    }

    @Test func aTimeThatComesTwiceRunsOnce() throws {
        // 2026-10-25: 03:00 +02:00 is 02:00 +01:00.
        #expect(
            try next("30 2 * * *", "Europe/Berlin", after: "2026-10-24T12:00:00Z", count: 2)
                == ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"])
        #expect(
            try next("0 3 * * *", "Europe/Berlin", after: "2026-10-24T12:00:00Z")
                == ["2026-10-25T03:00+01:00"])
        // What goes on with the time goes on.
        #expect(
            try next("30 * * * *", "Europe/Berlin", after: "2026-10-24T23:00:00Z", count: 4)
                == [
                    "2026-10-25T01:30+02:00", "2026-10-25T02:30+02:00", "2026-10-25T02:30+01:00",
                    "2026-10-25T03:30+01:00",
                ])
    }

    @Test(arguments: [
        ("", "five fields"), ("0 3 * *", "it has 4"), ("0 0 3 * * *", "it has 6"), ("60 * * * *", "0 to 59"),
        ("* 24 * * *", "0 to 23"), ("* * 0 * *", "1 to 31"), ("* * * 13 *", "1 to 12"),
        ("* * * * 8", "0 to 7"),
        ("*/0 * * * *", "step"), ("*/60 * * * *", "step"), ("5/15 * * * *", "write 5-59/15"),
        ("* 22-2 * * *", "write 22-23,0-2"), ("* * * * fri-tue", "goes backwards"),
        ("1,,2 * * * *", "not ''"),
        ("a * * * *", "not 'a'"), ("* * * foo *", "jan, feb"), ("-1 * * * *", "0 to 59"),
        ("*5 * * * *", "not '*5'"),
        ("* * L * *", "not 'L'"), ("@reboot", "release.after"), ("@often", "@hourly"),
        ("30 2 31 2 *", "never comes"),
        ("0 0 31 4,6 *", "never comes"), ("0 0 30 2 */2", "never comes"),
        ("CRON_TZ=Europe/Berlin 0 3 * * *", "'timezone'"), ("99999999999999999999 * * * *", "0 to 59"),
        ("\u{0661} * * * *", "0 to 59"),
    ])
    func whatIsNoScheduleIsToldWhy(text: String, message: String) {
        do {
            _ = try Schedule(text)
            Issue.record("accepted: \(text)")
        } catch { #expect(error.description.contains(message), "\(error)") }
    }

    @Test func zonesAreTakenByTheirFullNames() {
        for name in ["UTC", "Europe/Berlin", "Asia/Kolkata", "US/Pacific", "America/Argentina/Buenos_Aires"] {
            #expect(ScheduleZone(name)?.description == name)
        }
        for name in [
            "", "EST", "CET", "GMT+3", "Z", "Europe/Nowhere", "../../etc/passwd", "/etc/localtime", "utc",
        ] {
            #expect(ScheduleZone(name) == nil, "\(name)")
        }
    }

    /// What a slow reading of the rules says: every minute is looked at.
    private struct Reference {
        let schedule: Schedule
        let zone: ScheduleZone

        func comes(_ minute: Int64) -> Bool {
            let local = zone.local(minute)
            if schedule.isContinuous { return fits(local) }
            let before = zone.local(minute - 1)
            // All that the clocks passed over, and what they show.
            if local > before + 1 { return (before + 1...local).contains(where: fits) }
            return fits(local) && !(1...1500).contains { zone.local(minute - $0) == local }
        }

        private func fits(_ local: Int64) -> Bool {
            let day = Schedule.floor(local)
            let time = local - day * 1440
            return schedule.matches(day: day) && Schedule.has(schedule.hours, time / 60)
                && Schedule.has(schedule.minutes, time % 60)
        }
    }

    @Test(arguments: [
        "UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata", "Pacific/Apia",
        "America/St_Johns", "Africa/Casablanca", "Asia/Tehran", "Pacific/Chatham",
    ])
    func theNextTimeIsThatOfAWalkOverTheMinutes(name: String) throws {
        let zone = try #require(ScheduleZone(name))
        var random = SplitMix(state: 0x6b69_6e74_6f00 + UInt64(name.utf8.count))
        // Around changes of the clocks, of which most are looked at.
        var changes: [Int64] = []
        var minute = try time("2008-01-01T00:00:00Z").milliseconds / 60_000
        for _ in 0..<8000 {
            if zone.offset(minute) != zone.offset(minute + 1440) { changes.append(minute) }
            minute += 1440
        }
        for _ in 0..<150 {
            let text =
                field(&random, 0...59) + " " + field(&random, 0...23) + " "
                + (Bool.random(using: &random) ? "*" : field(&random, 1...31)) + " * "
                + (Bool.random(using: &random) ? "*" : field(&random, 0...6))
            guard let schedule = try? Schedule(text) else { continue }
            let reference = Reference(schedule: schedule, zone: zone)
            let base = changes.randomElement(using: &random) ?? minute
            let start = base - 1440 + Int64.random(in: 0...2880, using: &random)
            let expected = (start + 1...start + 6000).first(where: reference.comes)
            let found = schedule.next(after: Timestamp(milliseconds: start * 60_000 + 59_999), in: zone)
            guard let expected else {
                #expect(
                    found.map { $0.milliseconds / 60_000 > start + 6000 } ?? true, "\(text) after \(start)")
                continue
            }
            #expect(found?.milliseconds == expected * 60_000, "\(text) in \(name) after \(start)")
        }
    }

    private func field(_ random: inout SplitMix, _ range: ClosedRange<Int>) -> String {
        switch Int.random(in: 0...4, using: &random) {
        case 0: return "*"
        case 1: return "*/\(Int.random(in: 1...min(20, range.upperBound), using: &random))"
        case 2:
            let low = Int.random(in: range, using: &random)
            return "\(low)-\(Int.random(in: low...range.upperBound, using: &random))"
        default:
            return (0..<Int.random(in: 1...3, using: &random)).map { _ in
                "\(Int.random(in: range, using: &random))"
            }.joined(separator: ",")
        }
    }

    @Test func nothingThatIsWrittenEndsIt() throws {
        var random = SplitMix(state: 7)
        let alphabet = Array("0123456789*/,-  \t@aefjmnorstu=é\u{0}")
        let moments: [Int64] = [.min, .max, -1, 0, 1, 253_402_300_800_000, 1_700_000_000_000]
        for _ in 0..<20_000 {
            let text = String(
                (0..<Int.random(in: 0...24, using: &random)).compactMap { _ in
                    alphabet.randomElement(using: &random)
                })
            guard let schedule = try? Schedule(text) else { continue }
            for moment in moments {
                _ = schedule.next(after: Timestamp(milliseconds: moment), in: .utc)
            }
        }
        for text in ["* * * * *", "0 0 29 2 */6", "59 23 31 12 *"] {
            for moment in moments {
                let next = try Schedule(text).next(after: Timestamp(milliseconds: moment), in: .utc)
                #expect(next.map { $0.milliseconds > moment } ?? (moment > 0))
                _ = next?.rfc3339(in: .utc)
            }
        }
    }

    // MARK: What became due between two looks

    private func due(_ text: String, _ seen: String, _ now: String) throws -> DueTimes {
        DueTimes(try Schedule(text), in: .utc, after: try time(seen), until: try time(now))
    }

    @Test func theLastOfSeveralRunsAndTheOthersAreMissed() throws {
        let three = try time("2026-11-23T03:00:00Z")
        let one = try due("0 3 * * *", "2026-11-23T02:59:00Z", "2026-11-23T03:00:00Z")
        #expect(one.due == three)
        #expect(one.missed == nil)
        #expect(try due("0 3 * * *", "2026-11-23T03:00:00Z", "2026-11-23T03:00:01Z").due == nil)
        // Five minutes late, and a bit more.
        #expect(try due("0 3 * * *", "2026-11-23T02:00:00Z", "2026-11-23T03:05:00Z").due == three)
        let late = try due("0 3 * * *", "2026-11-23T02:00:00Z", "2026-11-23T03:05:01Z")
        #expect(late.due == nil)
        #expect(late.missed?.count == 1)
        let many = try due("*/10 * * * *", "2026-11-23T00:00:00Z", "2026-11-23T03:02:00Z")
        #expect(many.due == three)
        #expect(many.missed?.count == 17)
        #expect(many.missed?.last.rfc3339.prefix(16) == "2026-11-23T02:50")
        let minutes = try due("* * * * *", "2026-11-23T02:57:00Z", "2026-11-23T03:00:30Z")
        #expect(minutes.due == three)
        #expect(minutes.missed?.count == 2)
        // Years of minutes are not counted out.
        let years = try due("* * * * *", "2016-11-23T00:00:00Z", "2026-11-23T03:00:00Z")
        #expect(years.due == three)
        #expect(years.missed.map { $0.count <= 1010 } == true)
    }
}
