// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import TestSupport
import Testing
import Wire

/// The disk says no in the middle of a deploy, at one place after the other. `make faults` does it at every place.
@Suite(.timeLimit(.minutes(60)))
struct StorageFaultTests {
    struct Fault: Sendable, CustomTestStringConvertible {
        let name: String
        let calls: StorageShim.Calls
        let error: Int32
        /// So many places of a deploy, spread over it; `make faults` takes all of them.
        let places: Int
        var sticky = false
        var processes = StorageShim.Processes.server
        var testDescription: String { name }
    }

    private static let everyCall: StorageShim.Calls = [
        .write, .sync, .rename, .unlink, .mode, .read, .cut, .mkdir,
    ]
    private static let faults = [
        Fault(name: "ENOSPC once", calls: .room, error: ENOSPC, places: 6),
        Fault(name: "ENOSPC until there is room", calls: .room, error: ENOSPC, places: 3, sticky: true),
        Fault(name: "EIO once", calls: everyCall, error: EIO, places: 6),
        Fault(
            name: "EROFS for a while", calls: [.room, .unlink, .mode], error: EROFS, places: 2, sticky: true),
        Fault(name: "EMFILE once", calls: [.open, .socket], error: EMFILE, places: 4),
        Fault(name: "EMFILE for a while", calls: [.open, .socket], error: EMFILE, places: 2, sticky: true),
        Fault(name: "ENFILE once", calls: [.open, .socket], error: ENFILE, places: 2),
        Fault(name: "ENOMEM once", calls: [.open, .socket, .mkdir, .spawn], error: ENOMEM, places: 2),
        Fault(name: "no process", calls: .spawn, error: EAGAIN, places: 4),
        Fault(
            name: "ENOSPC once, of supervisors", calls: .room, error: ENOSPC, places: 2,
            processes: .supervisor),
        Fault(
            name: "ENOSPC for a while, of supervisors", calls: .room, error: ENOSPC, places: 1, sticky: true,
            processes: .supervisor),
        Fault(
            name: "EIO once, of supervisors", calls: everyCall, error: EIO, places: 2, processes: .supervisor),
        Fault(
            name: "EMFILE once, of supervisors", calls: [.open, .socket], error: EMFILE, places: 2,
            processes: .supervisor),
        Fault(
            name: "no process, of supervisors", calls: .spawn, error: EAGAIN, places: 2,
            processes: .supervisor),
    ]

    @Test("Scenarios 9, 10, 19 and 74: a fault at any place fails the release or nothing", arguments: faults)
    func aFaultAtAnyPlaceFailsTheReleaseOrNothing(_ fault: Fault) async throws {
        // "all", or so many places of each.
        let wanted = ProcessInfo.processInfo.environment["KINTO_FAULTS"]
        let most = wanted == "all" ? Int.max : wanted.flatMap { Int($0) } ?? fault.places
        try await TemporaryDirectory.with { directory in
            let shim = try await StorageShim(in: directory)
            try await Server.with(environment: { shim.environment(home: $0.home, children: "1") }) { server in
                try await server.setUp(
                    #"{"start":"python3 server.py","probe":{"path":"/"},"build":{"command":"seq 100 > made","cache":["kept"]},"rollout":{"warm":"0s","watch":"0s"}}"#
                )
                try await server.push("first")
                var run = try FaultRun(server: server, shim: shim, secret: server.webhookSecret)
                let (places, calls) = try await run.measure(fault)
                let visitors = Visitors(server, count: 2)
                let count = min(places.count, most)
                for index in 0..<count {
                    try await run.deploy(
                        fault, at: places[(index * places.count + places.count / 2) / count])
                }
                try await run.conclude()
                let tally = await visitors.end()
                #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
                print(
                    "\(fault.name): \(count) of \(places.count) places (\(calls) calls a deploy); \(run.summary)"
                )
            }
        }
    }
}

extension StorageFaultTests {
    @Test("Scenarios 9 and 10: a hook that meets a fault keeps the push, or says that it could not")
    func aHookKeepsThePushWholeOrSaysThatItCouldNot() async throws {
        try await TemporaryDirectory.with { directory in
            let shim = try await StorageShim(in: "\(directory)/shim")
            let home = "\(directory)/home"
            let update =
                "\(String(repeating: "0", count: 40)) \(String(repeating: "1", count: 40)) refs/heads/main"
            try Files.replace("\(directory)/input", with: Array("\(update)\n".utf8))
            func push() async throws -> Command.Result {
                try await Command.run(
                    try Products.directory() + "/kinto-runtime",
                    ["hook", "post-receive", "--home", home, "--service", "hello"],
                    environment: shim.environment(home: home),
                    input: Descriptor.open("\(directory)/input", O_RDONLY))
            }
            func kept() throws -> [Fields] {
                guard Files.exists("\(home)/spool") else { return [] }
                return try Files.list("\(home)/spool").filter { $0.hasSuffix(".trigger") }
                    .map { try Fields(decoding: Files.read("\(home)/spool/\($0)")) }
            }
            let calls: StorageShim.Calls = [.room, .unlink, .mode, .socket]
            try shim.note(calls, of: .hook)
            #expect(try await push().output.contains("the push is kept"))
            let places = try shim.places().places
            #expect(places.count > 5)
            var count = [true: 0, false: 0]
            for error in [ENOSPC, EIO, EROFS, EMFILE, ENFILE, ENOMEM] {
                for (place, sticky) in places.flatMap({ [($0, false), ($0, true)] }) {
                    try Files.removeTree(home)
                    try shim.arm(calls, of: .hook, error: error, at: place, sticky: sticky)
                    let told = try await push()
                    try shim.disarm()
                    let isKept = told.output.contains("the push is kept")
                    count[isKept, default: 0] += 1
                    #expect(told.status == 0)
                    #expect(
                        isKept || told.output.contains("could NOT be kept") && told.output.contains(home),
                        "\(place.example): \(told.output)")
                    // What is there is whole, also when it is not sure to stay.
                    let there = try kept()
                    #expect(there.count == 1 || !isKept && there.isEmpty, "\(place.example)")
                    #expect(there.allSatisfy { $0["service"] == "hello" && $0["update"] == update })
                }
            }
            print("hook: \(places.count) places; kept \(count[true] ?? 0), told \(count[false] ?? 0)")
        }
    }

    @Test("Scenario 20: logs that are deleted under the server are made anew")
    func logsThatAreDeletedUnderTheServerAreMadeAnew() async throws {
        try await Server.with { server in
            try await server.setUp()
            try await server.push("first")
            let (before, pid) = (try await server.body(), server.pid)
            let visitors = Visitors(server, count: 2)
            try await server.until { (try? Files.removeTree("\(server.home)/services")) != nil }
            #expect(try await server.body() == before)
            #expect(try await server.kinto("logs", "hello", "--release", "1").status <= 3)
            #expect(try await server.push("second").output.contains("Release 2 is live"))
            #expect(try await server.kinto("logs", "hello", "--release", "2").output.contains("is live"))
            #expect(server.pid == pid && kill(pid, 0) == 0)
            let tally = await visitors.end()
            #expect(tally.failures.isEmpty, "\(tally.failures.prefix(3))")
        }
    }
}
