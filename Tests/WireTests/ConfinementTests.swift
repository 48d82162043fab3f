// SPDX-License-Identifier: Apache-2.0
import Testing

@testable import Wire

struct ConfinementTests {
    private func spec(_ bounds: Confinement) -> SupervisorSpec {
        SupervisorSpec(
            identifier: "i", mode: .job, command: "true", workingDirectory: "/", environment: ["A=b"],
            logPath: "/l", logStyle: .detail, logLimit: 1, statePath: "/s", confinement: bounds)
    }

    @Test func boundsArriveAsTheyWereGiven() throws {
        let all = Confinement(
            groups: ControlGroups(
                unified: "/sys/fs/cgroup/kinto", controllers: [.memory, .pids],
                legacy: [.cpu: "/sys/fs/cgroup/cpu/a:b"]), memory: 64 << 20, processes: 60,
            isBackground: true, memoryScore: -5, user: .init(user: 1, group: 2),
            sandbox: ["/bin/x", "--", ""])
        for bounds in [all, Confinement()] {
            let sent = spec(bounds)
            #expect(try SupervisorSpec(Fields(decoding: sent.fields.encoded())) == sent)
        }
    }

    /// What an older server wrote has none, and runs as it did.
    @Test func noBoundsAreNoBounds() throws {
        var fields = Fields()
        for entry in spec(Confinement()).fields.entries
        where !["memory", "processes", "background"].contains(entry.name) {
            fields.add(entry.name, entry.value)
        }
        #expect(try SupervisorSpec(fields).confinement == Confinement())
    }

    /// A bound that cannot be read is not left out.
    @Test(arguments: [
        ("user", "root"), ("user", "-1"), ("memory", "much"), ("processes", ""), ("memoryScore", "x"),
        ("controller", "none"), ("legacyGroups", "/no/controller"), ("user", "4294967296"),
    ])
    func boundsThatCannotBeReadAreRefused(name: String, value: String) throws {
        var fields = Fields()
        for entry in spec(Confinement()).fields.entries where entry.name != name {
            fields.add(entry.name, entry.value)
        }
        fields.add(name, value)
        if name == "user" { fields.add("group", 1) }
        #expect(throws: WireError.self) { try SupervisorSpec(fields) }
    }

    @Test func namesOfGroupsStayInTheirDirectory() {
        let groups = ControlGroups(unified: "/sys/fs/cgroup/kinto")
        for name in ["../../x", "a/b", "", ".", "proxy-127.0.0.1:80-1", String(repeating: "x", count: 400)] {
            let group = ControlGroup(groups, name: name)
            #expect(group.name.hasPrefix("group-"))
            #expect(!group.name.contains("/"))
            #expect(group.name.utf8.count <= 206)
            #expect(ControlGroup(groups, name: name).name == groups.group(named: group.name).name)
        }
    }
}
