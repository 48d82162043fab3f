// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// Established TCP connections of this host, as /proc/net/tcp lists them.
enum LoopbackConnections {
    /// How many lead to one of these ports of 127.0.0.1.
    static func count(to ports: Set<UInt16>) -> UInt64 {
        guard let bytes = try? Files.read("/proc/net/tcp") else { return 0 }
        var count: UInt64 = 0
        for line in bytes.split(separator: UInt8(ascii: "\n")).dropFirst() {
            let fields = line.split(separator: UInt8(ascii: " ")).prefix(4)
            guard fields.count == 4, fields[3].elementsEqual("01".utf8) else { continue }
            let remote = String(decoding: fields[2], as: UTF8.self).split(separator: ":")
            guard remote.count == 2, remote[0] == "0100007F", let port = UInt16(remote[1], radix: 16) else {
                continue
            }
            if ports.contains(port) { count += 1 }
        }
        return count
    }
}
