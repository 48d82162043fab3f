// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// The text of the one file of nginx's configuration that is kinto's: an upstream group for each service, and the map
/// from host names to them.
struct NginxFile {
    struct Group {
        let name: String
        let hosts: [String]
        let ports: [UInt16]
    }

    let groups: [Group]

    /// What a map takes for something else than a name, unless it is marked.
    private static let words: Set<String> = ["default", "hostnames", "include", "volatile"]

    var text: String {
        var lines = [
            "# Written by kinto at every swap: do not edit. See docs/proxies.md.",
            "map $host $kinto_upstream {",
            "    default \"\";",
        ]
        // nginx refuses a name that is there twice, in whatever case; the first service has it.
        var seen: Set<String> = []
        for group in groups {
            for host in group.hosts where seen.insert(host.lowercased()).inserted {
                let mark = NginxFile.words.contains(host.lowercased()) ? "\\" : ""
                lines.append("    \(mark)\(host) \(group.name);")
            }
        }
        lines.append("}")
        for group in groups {
            lines += ["upstream \(group.name) {", "    least_conn;"]
            // A group must have a server: without an instance, one that nginx does not ask (502).
            lines += group.ports.isEmpty ? ["    server 127.0.0.1:1 down;"] : []
            lines += group.ports.map { "    server 127.0.0.1:\($0);" }
            lines += ["    keepalive 32;", "}"]
        }
        return lines.joined(separator: "\n") + "\n"
    }
}
