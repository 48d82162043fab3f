// SPDX-License-Identifier: Apache-2.0

/// `name: command` lines, as Heroku has them, between comments and blanks.
struct Procfile {
    private(set) var types: [String: String] = [:]
    /// For people: lines of another form, which are passed over, and types that are there twice. Empty when nothing is a
    /// type: what is called Procfile may be anything.
    private(set) var notes: [String] = []

    private static let mostNotes = 5

    init(_ bytes: [UInt8]) {
        let text = String(decoding: bytes.prefix(Manifest.sizeLimit), as: UTF8.self)
        for (index, line) in text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline)
            .enumerated()
        {
            let first = line.first { $0 != " " && $0 != "\t" }
            if first == nil || first == "#" { continue }
            let head = line.prefix { $0 != ":" }
            let name = head.lowercased()
            let command = line[head.endIndex...].dropFirst().drop { $0 == " " || $0 == "\t" }
            if command.isEmpty || !ProcessGroup.isName(name) {
                note(
                    "line \(index + 1) of the Procfile is passed over: it is not 'name: command', with a name of a-z, 0-9, '-' and '_'"
                )
            } else if types.updateValue(String(command), forKey: name) != nil {
                note("line \(index + 1) of the Procfile says again what '\(name)' is: this one counts")
            }
        }
        if types.isEmpty { notes = [] }
    }

    private mutating func note(_ text: String) {
        if notes.count < Procfile.mostNotes { notes.append(text) }
    }
}
