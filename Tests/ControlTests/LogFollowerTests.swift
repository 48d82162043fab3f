// SPDX-License-Identifier: Apache-2.0
import Foundation
import KintoCore
import NIOCore
import Synchronization
import TestSupport
import Testing
import Wire

@testable import Control
@testable import Supervisor

struct LogFollowerTests {
    @Test func everyLineOfALogThatIsRotatedIsShownOnceOrCountedAsLeftOut() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            let total = 20_000
            let seen = Mutex<[String]>([])
            let watch = LogWatch()
            let reader = Task {
                try await LogFollower(path: path, watch: watch).read { chunk in
                    seen.withLock { $0 += texts(Array(buffer: chunk)) }
                }
            }
            var writer = LineWriter(spec(path))
            for start in stride(from: 0, to: total, by: 50) {
                writer.write(lines((start..<(start + 50)).map { "line \($0)" }))
                if start % 5000 == 0 { await Task.yield() }
            }
            try await until("the last line") { seen.withLock { $0.last } == "line \(total - 1)" }
            reader.cancel()
            _ = try? await reader.value
            var next = 0
            for text in seen.withLock({ $0 }) {
                if let missed = missed(text) {
                    next += missed
                } else {
                    #expect(text == "line \(next)")
                    next += 1
                }
            }
            #expect(next == total)
        }
    }

    @Test func thoseWhoFollowTogetherEachSeeEveryLineFromTheirFirstOn() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            let total = 20_000
            let watch = LogWatch()
            var writer = LineWriter(spec(path))
            var readers: [(seen: Seen, task: Task<Void, any Error>)] = []
            for start in stride(from: 0, to: total, by: 50) {
                writer.write(lines((start..<(start + 50)).map { "line \($0)" }))
                if start % 1000 == 0 {
                    let seen = Seen()
                    let tail = readers.count % 3 == 0 ? nil : 1 + readers.count % 7
                    readers.append(
                        (
                            seen,
                            Task {
                                try await LogFollower(path: path, watch: watch, tail: tail).read { chunk in
                                    seen.lines.withLock { $0 += texts(Array(buffer: chunk)) }
                                    await Task.yield()
                                }
                            }
                        ))
                    try await until("a first line") { !seen.isEmpty }
                }
            }
            for (seen, task) in readers {
                try await until("the last line") {
                    seen.lines.withLock { $0.last == "line \(total - 1)" }
                }
                task.cancel()
                _ = try? await task.value
                let texts = seen.lines.withLock { $0 }
                let first = try #require(texts.first { missed($0) == nil })
                var next = try #require(Int(first.dropFirst(5)))
                for text in texts.drop(while: { missed($0) != nil }) {
                    if let missed = missed(text) {
                        next += missed
                    } else {
                        #expect(text == "line \(next)")
                        next += 1
                    }
                }
                #expect(next == total)
            }
        }
    }

    @Test func aReaderThatIsOvertakenIsToldHowManyLinesItMissed() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            var writer = LineWriter(spec(path))
            writer.write(lines(["line 0"]))
            let reader = LogReader(path: path, tail: nil, follows: true)
            #expect(texts(reader.next() ?? []) == ["line 0"])
            #expect(reader.next() == nil)
            // About three files of them.
            for start in stride(from: 1, to: 6001, by: 100) {
                writer.write(lines((start..<(start + 100)).map { "line \($0)" }))
            }
            var seen: [String] = []
            while let chunk = reader.next() { seen += texts(chunk) }
            let gaps = seen.compactMap(missed)
            #expect(gaps.count == 1)
            #expect(seen.last == "line 6000")
            #expect(seen.count - 1 + gaps.reduce(0, +) == 6000)
            #expect(Set(seen).count == seen.count)
        }
    }

    /// Scenario 49: without the doors.
    @Test func twoHundredWatchersOfWhichFiftyNeverReadAndLateOnesSeeTheWholeLog() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/release.log"
            let log = ReleaseLog(path: path)
            log.append(.detail("line 0"))
            let watch = LogWatch()
            try await withThrowingTaskGroup(of: [String].self) { group in
                let idle = (0..<50).map { _ in
                    Task {
                        try await LogFollower(path: path, watch: watch).read { _ in
                            try await Task.sleep(for: .seconds(3600))
                        }
                    }
                }
                for number in 1...1500 {
                    if number % 10 == 0 {
                        group.addTask {
                            let seen = Mutex<[String]>([])
                            try await LogFollower(path: path, watch: watch).read { chunk in
                                seen.withLock { $0 += texts(Array(buffer: chunk)) }
                            }
                            return seen.withLock { $0 }
                        }
                    }
                    log.append(.detail("line \(number)"))
                }
                log.close()
                let expected = (0...1500).map { "       line \($0)" }
                var finished = 0
                for try await seen in group {
                    #expect(seen == expected)
                    finished += 1
                }
                #expect(finished == 150)
                for task in idle { task.cancel() }
                for task in idle { _ = try? await task.value }
            }
        }
    }

    /// Scenario 49: who never reads is let go, who reads slowly is not, and neither is who waits for more.
    @Test func aWatcherThatTakesNothingIsLetGo() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/release.log"
            let log = ReleaseLog(path: path)
            log.append(.detail("line 0"))
            let watch = LogWatch()
            let patience = Duration.seconds(4)
            let slow = Mutex<[String]>([])
            let waiting = Mutex<[String]>([])
            let others = [
                Task {
                    try await LogFollower(path: path, watch: watch, patience: .seconds(300)).read { chunk in
                        try await Task.sleep(for: .milliseconds(1000))
                        slow.withLock { $0 += texts(Array(buffer: chunk)) }
                    }
                },
                Task {
                    try await LogFollower(path: path, watch: watch, patience: patience).read { chunk in
                        waiting.withLock { $0 += texts(Array(buffer: chunk)) }
                    }
                },
            ]
            let clock = ContinuousClock()
            let began = clock.now
            await withTaskGroup(of: Void.self) { group in
                for _ in 0..<50 {
                    group.addTask {
                        await #expect(throws: LogFollower.Stalled.self) {
                            try await LogFollower(path: path, watch: watch, patience: patience).read { _ in
                                try await Task.sleep(for: .seconds(3600))
                            }
                        }
                    }
                }
            }
            #expect(clock.now - began > patience)
            log.append(.detail("line 1"))
            try await until("both lines") {
                slow.withLock { $0.count } == 2 && waiting.withLock { $0.count } == 2
            }
            log.close()
            for other in others { try await other.value }
        }
    }

    @Test func theLastLinesAreTakenFromBothFiles() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            try Data("a 1\na 2\na 3\n".utf8).write(to: URL(fileURLWithPath: path + ".1"))
            try Data("a 4\na 5\n".utf8).write(to: URL(fileURLWithPath: path))
            for (tail, first) in [(0, 6), (1, 5), (2, 4), (3, 3), (5, 1), (9, 1)] {
                let reader = LogReader(path: path, tail: tail, follows: false)
                var seen = ""
                while let chunk = reader.next() { seen += String(decoding: chunk, as: UTF8.self) }
                #expect(seen == (first..<6).map { "a \($0)\n" }.joined(), "\(tail)")
            }
        }
    }

    @Test func whatIsNotFollowedEndsWithWhatWasThereAlsoWhenItGrows() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/console.log"
            var writer = LineWriter(spec(path))
            writer.write(lines((0..<100).map { "line \($0)" }))
            let reader = LogReader(path: path, tail: 5, follows: false)
            var seen: [String] = []
            while let chunk = reader.next() {
                seen += texts(chunk)
                writer.write(lines((0..<3000).map { "later \($0)" }))
            }
            #expect(seen == (95..<100).map { "line \($0)" })
        }
    }

    /// Scenario 20.
    @Test func aLogThatIsRemovedWhileItIsFollowedGoesOnOrItsEndIsTold() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/1/release.log"
            try Files.makeDirectories("\(directory)/1")
            let log = ReleaseLog(path: path)
            log.append(.detail("one"))
            let watch = LogWatch()
            let seen = Mutex<[String]>([])
            let reader = Task {
                try await LogFollower(path: path, watch: watch).read { chunk in
                    seen.withLock { $0 += texts(Array(buffer: chunk)) }
                }
            }
            try await until("one") { seen.withLock { $0 }.count == 1 }
            unlink(path)
            log.append(.detail("two"))
            try await until("two") { seen.withLock { $0 } == ["       one", "       two"] }
            try Files.removeTree("\(directory)/1")
            try await until("the end") { seen.withLock { $0.count } == 3 }
            try await reader.value
            #expect(seen.withLock { $0.last }?.contains("is gone") == true)
            // The end is marked all the same.
            log.close()
            #expect(ReleaseLog.isClosed(path))
        }
    }

    @Test func whatAPowerCutLeftIsNoHindrance() async throws {
        try await TemporaryDirectory.with { directory in
            let path = "\(directory)/release.log"
            try (Data("2026-01-01T00:00:00.000Z whole\n".utf8) + Data(count: 200_000)).write(
                to: URL(fileURLWithPath: path))
            ReleaseLog(path: path).append(.step("after"))
            let seen = Mutex<[UInt8]>([])
            try await LogFollower(path: path, watch: nil).read { chunk in
                seen.withLock { $0 += LogText(times: false, isTerminal: false).shown(Array(buffer: chunk)) }
            }
            let text = String(decoding: seen.withLock { $0 }, as: UTF8.self)
            #expect(text.split(separator: "\n") == ["whole", "-----> after"])
        }
    }

    @Test func whatIsShownDependsOnWhoReads() {
        let time = "2026-01-01T00:00:00.000Z "
        let log = Array(
            (time + "\u{1B}[31mred\u{1B}[0m\n" + time + "50%\r\n" + time
                + "old \u{1B}]0;title\u{7}\u{1B}[2Jhttp://a:secret@b/\n").utf8)
        func shown(times: Bool, isTerminal: Bool) -> String {
            String(decoding: LogText(times: times, isTerminal: isTerminal).shown(log), as: UTF8.self)
        }
        #expect(shown(times: false, isTerminal: false) == "red\nold http://a:[redacted]@b/\n")
        #expect(
            shown(times: true, isTerminal: true)
                == time + "\u{1B}[31mred\u{1B}[0m\u{1B}[0m\n" + time + "50%\r\n" + time
                + "old http://a:[redacted]@b/\n")
    }

    private func spec(_ path: String) -> SupervisorSpec {
        SupervisorSpec(
            identifier: "x", mode: .service, command: "", workingDirectory: "", environment: [],
            logPath: path, logStyle: .console, logLimit: 64 << 10, statePath: "")
    }

    private func lines(_ texts: [String]) -> Lines {
        var lines = Lines()
        for text in texts { lines.append(text.utf8) }
        return lines
    }
}

private final class Seen: Sendable {
    let lines = Mutex<[String]>([])
    var isEmpty: Bool { lines.withLock { $0.isEmpty } }
}

private func texts(_ chunk: [UInt8]) -> [String] {
    String(decoding: chunk, as: UTF8.self).split(separator: "\n").map { String($0.dropFirst(25)) }
}

/// The number in the mark of a gap.
private func missed(_ text: String) -> Int? {
    text.hasSuffix(" lines left out: you read too slowly") ? Int(text.split(separator: " ")[1]) : nil
}
