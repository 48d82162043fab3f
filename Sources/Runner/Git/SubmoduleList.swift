// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// A `.gitmodules` file (gitmodules(5)), as far as kinto uses it: where the repository of each path is. Read here and not
/// by a library, which would follow an `include` to files of this host. Names are checked and used for nothing; `update`,
/// `branch` and all other keys are left.
struct SubmoduleList {
    /// The addresses by path, as they stand there.
    let addresses: [String: String]

    /// The largest that is read, in bytes.
    static let sizeLimit = 256 << 10

    /// - Throws: `submodule-refused`.
    init(_ bytes: [UInt8]) throws(Failure) {
        guard let text = String(validating: bytes, as: UTF8.self), !bytes.contains(0) else {
            throw SubmoduleList.refused("The file .gitmodules is no text.")
        }
        var sections: [String: (path: String?, url: String?)] = [:]
        var name: String?
        // By scalars: "\r\n" is one character.
        let lines = text.unicodeScalars.split(separator: "\n", omittingEmptySubsequences: false)
        for (index, line) in lines.enumerated() {
            let line = Substring(line).trimmed
            func wrong(_ why: String) -> Failure {
                SubmoduleList.refused("Line \(index + 1) of .gitmodules \(why).")
            }
            if line.isEmpty || line.first == "#" || line.first == ";" { continue }
            if line.first == "[" {
                name = try SubmoduleList.section(line, wrong)
                if let name, sections[name] == nil { sections[name] = (nil, nil) }
                continue
            }
            guard let name, let equals = line.firstIndex(of: "=") else { continue }
            let value = try SubmoduleList.value(line[line.index(after: equals)...].trimmed, wrong)
            switch line[..<equals].trimmed.lowercased() {
            case "path": sections[name]?.path = value
            case "url": sections[name]?.url = value
            default: break
            }
        }
        var addresses: [String: String] = [:]
        for (_, section) in sections {
            guard let path = section.path, let url = section.url else { continue }
            guard addresses.updateValue(url, forKey: path) == nil else {
                throw SubmoduleList.refused("The file .gitmodules has the path '\(shown(path.utf8))' twice.")
            }
        }
        self.addresses = addresses
    }

    static func refused(_ message: String, hints: [Failure.Hint] = []) -> Failure {
        Failure(code: "submodule-refused", message, hints: hints)
    }

    /// The name of `[submodule "NAME"]`; nil for any other section.
    private static func section(_ line: Substring, _ wrong: (String) -> Failure) throws(Failure) -> String? {
        guard line.last == "]" else { throw wrong("has a section that does not end") }
        let inner = line.dropFirst().dropLast()
        guard let quote = inner.firstIndex(of: "\""), inner[..<quote].trimmed.lowercased() == "submodule"
        else { return nil }
        guard inner.count > 1, inner.last == "\"", inner.index(after: quote) < inner.endIndex else {
            throw wrong("has a name that does not end")
        }
        var name = ""
        var isEscaped = false
        for character in inner[inner.index(after: quote)...].dropLast() {
            if isEscaped || (character != "\\" && character != "\"") {
                name.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else {
                throw wrong("has a name that does not end")
            }
        }
        let parts = name.split(omittingEmptySubsequences: false) { $0 == "/" || $0 == "\\" }
        guard !name.isEmpty, name.first != "-", !parts.contains("..") else {
            throw wrong("has a name that git refuses, too: '\(shown(name.utf8))'")
        }
        return name
    }

    /// As git-config(1) reads it, but in one line.
    private static func value(_ text: Substring, _ wrong: (String) -> Failure) throws(Failure) -> String {
        var value = ""
        var isQuoted = false
        var isEscaped = false
        // Spaces at the end belong to the value only within quotes.
        var kept = 0
        for character in text {
            if isEscaped {
                guard character == "\\" || character == "\"" else {
                    throw wrong("has an escape that kinto does not read")
                }
                value.append(character)
                isEscaped = false
            } else if character == "\\" {
                isEscaped = true
            } else if character == "\"" {
                isQuoted.toggle()
            } else if !isQuoted, character == "#" || character == ";" {
                break
            } else {
                value.append(character)
            }
            if isQuoted || !(character == " " || character == "\t") { kept = value.count }
        }
        guard !isQuoted, !isEscaped else { throw wrong("has a value that does not end") }
        return String(value.prefix(kept))
    }
}

extension Substring {
    /// Without spaces, tabs and carriage returns around it.
    fileprivate var trimmed: Substring {
        func isSpace(_ character: Character) -> Bool {
            character == " " || character == "\t" || character == "\r"
        }
        var rest = self[...]
        while let first = rest.first, isSpace(first) { rest.removeFirst() }
        while let last = rest.last, isSpace(last) { rest.removeLast() }
        return rest
    }
}
