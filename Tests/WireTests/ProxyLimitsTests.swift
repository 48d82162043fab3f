// SPDX-License-Identifier: Apache-2.0
import Testing
import Wire

struct ProxyLimitsTests {
    @Test func aChangeIsReadAndHandedOn() throws {
        let texts = [
            "header-bytes=64KiB", "header-fields=50", "request-line=100B", "header-time=1m",
            "idle-time=1500ms",
            "stall-time=2h", "connections=5000", "address-connections=none", "loopback-connections=7",
        ]
        let limits = try ProxyLimits(texts)
        #expect(limits.headerBytes == 65_536)
        #expect(limits.idleTime == 1500)
        #expect(limits.stallTime == 7_200_000)
        #expect(limits.addressConnections == .max)
        #expect(limits.texts == texts)
        #expect(try ProxyLimits(limits.texts) == limits)
        #expect(texts.map { String($0.prefix { $0 != "=" }) } == ProxyLimits.names)
        #expect(ProxyLimits().texts.isEmpty)
    }

    @Test(arguments: ["", "idle", "idle=1s", "Idle-Time=1s", "idle-time", "=", "idle-time 1s"])
    func whatIsNoLimitIsToldWithTheNames(text: String) {
        let error = #expect(throws: MalformedSetting.self) { try ProxyLimits([text]) }
        for name in ProxyLimits.names { #expect(error?.description.contains(name) == true) }
    }

    @Test(arguments: [
        "idle-time=", "idle-time=75", "idle-time=-1s", "idle-time=0s", "idle-time=25h", "idle-time=1.5s",
        "idle-time=none", "idle-time=1s ", "header-bytes=1B", "header-bytes=32KB", "header-bytes=1GiB",
        "header-bytes=99999999999999999999MiB", "header-fields=none", "header-fields=0", "connections=0",
        "connections=-5", "connections=many", "connections=1.0", "connections=\u{661}",
    ])
    func aValueOutOfRangeIsToldWithTheRange(text: String) {
        let error = #expect(throws: MalformedSetting.self) { try ProxyLimits([text]) }
        #expect(error?.description.contains(" wants ") == true)
    }
}
