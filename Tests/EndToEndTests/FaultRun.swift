// SPDX-License-Identifier: Apache-2.0
import Foundation
import HTTPClient
import KintoCore
import TestSupport
import Testing
import Wire

/// Deploys with a fault in each, and what has to be so after it.
struct FaultRun {
    let server: Server
    let shim: StorageShim
    let secret: String
    private let token: String
    private var deliveries = 0
    private var outcomes: [String: Int] = [:]
    /// The number of the last release.
    private var number = 1

    init(server: Server, shim: StorageShim, secret: String) throws {
        (self.server, self.shim, self.secret) = (server, shim, secret)
        token = String(decoding: try Files.read("\(server.home)/token"), as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    var summary: String {
        outcomes.sorted { $0.key < $1.key }.map { "\($0.key) \($0.value)" }.joined(separator: ", ")
    }

    /// The places of the calls of a deploy without a fault, seen in two of them, and how many calls one makes.
    mutating func measure(_ fault: StorageFaultTests.Fault) async throws -> (
        places: [StorageShim.Place], calls: Int
    ) {
        try shim.note(fault.calls, of: fault.processes)
        for _ in 0..<2 {
            try await commit()
            try await trigger()
            try await settled()
        }
        let (places, calls) = try shim.places()
        #expect(!places.isEmpty)
        return (places, calls / 2)
    }

    mutating func deploy(_ fault: StorageFaultTests.Fault, at place: StorageShim.Place) async throws {
        try await commit()
        let before = try await live()
        try shim.arm(
            fault.calls, of: fault.processes, error: fault.error, at: place, sticky: fault.sticky)
        deliveries += 1
        number += 1
        let identifier = "delivery-\(deliveries)"
        var answer = try await server.deliver(identifier, secret: secret)
        let told: Comment = "\(fault.name) at \(place.example): \(answer.head)"
        // No answer: the connection itself met the fault.
        #expect(
            [202, 0].contains(answer.status) || answer.status == 503 && answer.head.contains("retry-after:"),
            told)
        if fault.sticky {
            try await server.until {
                if try shim.hits > 0 { return true }
                return await isSettled()
            }
            // Of what is live nothing changes while it lasts.
            #expect(try await server.get().status == 200, told)
        } else if answer.status == 202 {
            try await settled()
        }
        let isHit = try shim.hits > 0
        try shim.disarm()
        // A forge sends a delivery again that was not taken.
        if answer.status != 202 { answer = try await server.deliver(identifier, secret: secret) }
        #expect(answer.status == 202 || answer.status == 200, told)
        try await settled()
        try await judge(fault, place, isHit: isHit, before: before)
    }

    private mutating func judge(
        _ fault: StorageFaultTests.Fault, _ place: StorageShim.Place, isHit: Bool, before: String
    ) async throws {
        let told = "\(fault.name) at \(place.example)"
        let last = try await releases().first
        #expect(last?["number"] as? Int == number, "\(told): each trigger is one release")
        let status = last?["status"] as? String ?? "none"
        // Who follows its log comes to an end.
        let log = "\(server.home)/services/hello/production/releases/\(number)/release.log"
        try await server.until { !Files.exists(log) || ReleaseLog.isClosed(log) }
        if status == "deployed" {
            #expect(last?["live"] as? Bool == true)
            outcomes[isHit ? "deployed" : "not met", default: 0] += 1
            return
        }
        let failure = last?["failure"] as? [String: Any]
        let code = failure?["code"] as? String ?? "none"
        let evidence = (failure?["evidence"] as? [String] ?? []).joined(separator: "\n")
        let text = "\(failure?["message"] as? String ?? "") \(evidence)"
        #expect(status == "failed", "\(told): \(last ?? [:])")
        #expect(
            code != "internal" && (text.contains("/") || place.hasNoPath || code == "too-many-files"),
            "\(told): \(code): \(text)")
        outcomes[code, default: 0] += 1
        #expect(try await live() == before, "\(told)")
    }

    /// Without a restart it is as before: a deploy goes well, and nothing is left over.
    mutating func conclude() async throws {
        try await commit()
        try await trigger()
        try await settled()
        let last = try await releases().first
        #expect(last?["status"] as? String == "deployed", "\(last ?? [:])")
        #expect(last?["number"] as? Int == number)
        do {
            try await server.until {
                let left = try Files.list("\(server.home)/artifacts").filter { $0.hasPrefix(".") }
                let work = (try? Files.list("\(server.home)/work/hello/production")) ?? []
                return left.isEmpty && work.isEmpty
            }
        } catch {
            let left = try await server.run(
                "/usr/bin/find", ["\(server.home)/artifacts", "\(server.home)/work", "-maxdepth", "3"])
            throw Trouble("something is left over: \(left.output)")
        }
    }

    private mutating func trigger() async throws {
        deliveries += 1
        number += 1
        let answer = try await server.deliver("delivery-\(deliveries)", secret: secret)
        #expect(answer.status == 202, "\(answer.head)")
    }

    /// A commit in the repository, told to nobody.
    private func commit() async throws {
        try server.write("number", "\(deliveries)")
        try await server.commitSilently("number \(deliveries)")
    }

    /// The last few, newest first: asked for without a process.
    private func releases() async throws -> [[String: Any]] {
        let answer = try await HTTPClient.send(
            .init(
                url: "http://127.0.0.1:\(server.listen)/api/v1/services/hello/releases?limit=5",
                headers: ["Authorization: Bearer \(token)"], timeout: 60_000))
        guard answer.status == 200 else { throw Trouble("releases: \(answer.status)") }
        return try JSONSerialization.jsonObject(with: Data(answer.body)) as? [[String: Any]] ?? []
    }

    /// Whether every release has its end; false when that cannot be read now.
    private func isSettled() async -> Bool {
        guard let releases = try? await releases() else { return false }
        return releases.allSatisfy { !["queued", "deploying"].contains($0["status"] as? String) }
    }

    private func settled() async throws {
        do { try await server.until { await isSettled() } } catch {
            let log = try? String(contentsOfFile: "\(server.root)/serve.log", encoding: .utf8)
            throw Trouble("a release has no end: \(log?.suffix(2000) ?? "")")
        }
    }

    /// Which release visitors meet.
    private func live() async throws -> String {
        let answer = try await server.get()
        let words = String(decoding: answer.body, as: UTF8.self).split(separator: " ")
        return "\(answer.status) \(words.first ?? "")"
    }
}
