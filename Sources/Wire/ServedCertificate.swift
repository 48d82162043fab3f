// SPDX-License-Identifier: Apache-2.0

/// What the proxy says of a certificate.
public struct ServedCertificate: Sendable, Equatable {
    /// Of its folder.
    public var name: String
    /// DNS names and addresses that it is for.
    public var hosts: [String]
    /// Unix seconds until which it is valid; nil: there is none in force.
    public var ends: Int64?
    /// Why what is in the folder now is not used; with `ends`, the one before it still is.
    public var problem: String?

    public init(name: String, hosts: [String] = [], ends: Int64? = nil, problem: String? = nil) {
        self.name = name
        self.hosts = hosts
        self.ends = ends
        self.problem = problem
    }

    func add(to fields: inout Fields) {
        fields.add("certificate", name)
        for host in hosts { fields.add("host", host) }
        if let ends { fields.add("ends", ends) }
        if let problem { fields.add("problem", problem) }
    }

    static func list(_ fields: Fields) throws(WireError) -> [ServedCertificate] {
        var list: [ServedCertificate] = []
        for entry in fields.entries {
            if entry.name == "certificate" {
                list.append(ServedCertificate(name: entry.value))
                continue
            }
            guard !list.isEmpty else { continue }
            let last = list.count - 1
            switch entry.name {
            case "host": list[last].hosts.append(entry.value)
            case "ends": list[last].ends = Int64(entry.value)
            case "problem": list[last].problem = entry.value
            default: break
            }
        }
        return list
    }
}
