// SPDX-License-Identifier: Apache-2.0
import KintoCore
import Testing
import Wire

@testable import Control

struct HostExaminationTests {
    @Test func memoryForTwoReleasesIsCounted() {
        func code(
            _ used: [Int], planned: Int = 1, _ strategy: Manifest.Rollout.Strategy = .rolling, available: Int?
        ) -> String? {
            HostExamination.memory(
                used: used.map { $0 << 20 }, planned: planned, strategy: strategy,
                available: available.map { $0 << 20 }, live: 3)?
                .code
        }
        #expect(code([400], available: 300) == "memory-low")
        #expect(code([400], available: 500) == nil)
        #expect(code([400, 200], planned: 2, available: 500) == "memory-low")
        #expect(code([400, 200], planned: 1, available: 500) == nil)
        #expect(code([100], planned: 4, available: 300) == "memory-low")
        #expect(code([400], .recreate, available: 300) == nil)
        #expect(code([400], available: nil) == nil)
        #expect(code([], available: 300) == nil)
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
