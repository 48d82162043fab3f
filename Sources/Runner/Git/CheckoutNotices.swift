// SPDX-License-Identifier: Apache-2.0

/// What a checkout leaves out, gathered while it runs and told in a few sentences.
struct CheckoutNotices: Sendable {
    private var submodules: [String] = []
    private var pointers: [String] = []
    private var attributes: [String] = []

    mutating func addSubmodule(_ path: String) { submodules.append(path) }
    mutating func addPointer(_ path: String) { pointers.append(path) }
    mutating func addAttributes(_ path: String) { attributes.append(path) }

    mutating func merge(_ other: CheckoutNotices) {
        submodules += other.submodules
        pointers += other.pointers
        attributes += other.attributes
    }

    /// One sentence for each kind of thing.
    var warnings: [String] {
        var result: [String] = []
        if !submodules.isEmpty {
            result.append(
                "Submodules are not fetched, their directories are empty: \(list(submodules)). "
                    + "To have them, set \"git\": { \"submodules\": true } in kinto.json.")
        }
        if !pointers.isEmpty {
            result.append(
                "Git LFS files are pointers, not their contents: \(list(pointers)). kinto does not fetch from Git LFS: "
                    + "commit them as they are (git lfs migrate export --everything --include=PATTERN), or download "
                    + "them in build.command.")
        }
        if !attributes.isEmpty {
            result.append(
                "eol=crlf, ident, filter and working-tree-encoding are not applied: \(list(attributes)).")
        }
        return result
    }

    private func list(_ paths: [String]) -> String {
        let sorted = paths.sorted()
        let more = sorted.count > 5 ? " and \(sorted.count - 5) more" : ""
        return sorted.prefix(5).joined(separator: ", ") + more
    }

    /// Whether a blob stands for a file kept by Git LFS.
    static func isPointer(_ bytes: UnsafeRawBufferPointer) -> Bool {
        bytes.count <= 1024 && bytes.starts(with: "version https://git-lfs.github.com/spec/v1\n".utf8)
    }

    /// Whether a `.gitattributes` has rules that would change files at checkout. `text` alone does not on
    /// Linux, and the filter of Git LFS is told by its pointers.
    static func changesFiles(_ bytes: UnsafeRawBufferPointer) -> Bool {
        let text = String(decoding: bytes.prefix(1 << 20), as: UTF8.self)
        for line in text.split(whereSeparator: \.isNewline) {
            let words = line.split { $0 == " " || $0 == "\t" }
            guard let first = words.first, !first.hasPrefix("#") else { continue }
            for word in words.dropFirst() {
                if word == "eol=crlf" || word == "ident" || word.hasPrefix("working-tree-encoding=") {
                    return true
                }
                if word.hasPrefix("filter="), word != "filter=lfs" { return true }
            }
        }
        return false
    }
}
