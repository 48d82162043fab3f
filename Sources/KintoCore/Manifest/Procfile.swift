// SPDX-License-Identifier: Apache-2.0

/// `name: command` lines, as Heroku has them; comments, blanks and lines of another form are passed over.
struct Procfile {
    let types: [String: String]

    init(_ bytes: [UInt8]) {
        var types: [String: String] = [:]
        for line in String(decoding: bytes.prefix(Manifest.sizeLimit), as: UTF8.self).split(
            whereSeparator: \.isNewline)
        {
            guard let colon = line.firstIndex(of: ":") else { continue }
            let name = line[..<colon]
            let command = line[line.index(after: colon)...].drop { $0 == " " || $0 == "\t" }
            guard !name.isEmpty, !command.isEmpty, ProcessGroup.isName(name.lowercased()) else {
                continue
            }
            types[name.lowercased()] = String(command)
        }
        self.types = types
    }
}
