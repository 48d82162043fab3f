// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing
import Wire

@testable import Control

struct HostExaminationTests {
    @Test func memoryForTwoReleasesIsCounted() {
        func code(_ used: [String: [Int]], _ groups: [ProcessGroup], available: Int, reserve: Int = 0)
            -> String?
        {
            HostExamination.memory(
                used: used.mapValues { $0.map { $0 << 20 } }, groups: groups, available: available << 20,
                reserve: reserve << 20, live: 3)?
                .code
        }
        func web(_ instances: Int) -> ProcessGroup {
            ProcessGroup(name: "web", command: "x", instances: instances)
        }
        func worker(_ instances: Int, overlaps: Bool = true) -> ProcessGroup {
            var manifest = Manifest(start: nil)
            manifest.processes["worker"] = .init(command: "x")
            manifest.processes["worker"]?.instances = instances
            if !overlaps { manifest.processes["worker"]?.overlap = .never }
            return manifest.groups().first ?? web(0)
        }
        #expect(code(["web": [400]], [web(1)], available: 300) == "memory-low")
        #expect(code(["web": [400]], [web(1)], available: 500) == nil)
        #expect(code(["web": [400]], [web(1)], available: 500, reserve: 200) == "memory-low")
        #expect(code(["web": [400, 200]], [web(2)], available: 500) == "memory-low")
        #expect(code(["web": [400, 200]], [web(1)], available: 500) == nil)
        #expect(code(["web": [100]], [web(4)], available: 300) == "memory-low")
        // Each type is as large as it is; what may not run twice takes no room beside itself.
        #expect(code(["web": [100], "worker": [900]], [web(2), worker(1)], available: 1000) == "memory-low")
        #expect(
            code(["web": [100], "worker": [900]], [web(2), worker(1, overlaps: false)], available: 1000)
                == nil)
        #expect(code(["web": [100]], [web(1), worker(5)], available: 200) == nil)
        #expect(code([:], [web(1)], available: 300) == nil)
        #expect(code(["web": [0]], [web(1)], available: 0, reserve: 10) == nil)
    }

    @Test func certificatesOfTheServiceAreLookedAt() {
        let now: Int64 = 1_800_000_000
        func served(_ name: String, _ hosts: [String], days: Int64?, problem: String? = nil)
            -> ServedCertificate
        {
            ServedCertificate(
                name: name, hosts: hosts, ends: days.map { now + $0 * 86_400 + 60 }, problem: problem)
        }
        func messages(_ served: [ServedCertificate], _ hosts: [String]) -> [String] {
            HostExamination.certificates(served, for: hosts, now: now).map(\.message)
        }
        #expect(
            messages([served("a", ["www.example.com"], days: 13)], ["www.example.com"]) == [
                "the certificate of www.example.com expires in 13 days"
            ])
        #expect(messages([served("a", ["www.example.com"], days: 14)], ["www.example.com"]).isEmpty)
        #expect(
            messages([served("a", ["*.Example.com"], days: -1)], ["www.example.com"]) == [
                "the certificate of www.example.com has expired"
            ])
        #expect(
            messages([served("a", ["*.example.com"], days: 1)], ["a.b.example.com", "example.com"]).isEmpty)
        // One for both is told once, the better one of two counts.
        #expect(messages([served("a", ["x.com", "y.com"], days: 3)], ["x.com", "y.com"]).count == 1)
        #expect(
            messages([served("a", ["x.com"], days: 3), served("b", ["x.com"], days: 80)], ["x.com"]).isEmpty)
        #expect(
            messages([served("a", ["x.com"], days: nil, problem: "no key")], ["x.com"]) == [
                "the certificate of x.com is not usable"
            ])
        #expect(messages([], ["x.com"]).isEmpty)
    }
}
