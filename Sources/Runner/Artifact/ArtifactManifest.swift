// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import KintoCore
internal import Wire

/// The list of what an artifact holds, kept beside its tree: one line per entry with
/// `KIND MODE SIZE SHA256 MTIME CTIME PATH`, sorted by path.
struct ArtifactManifest: Sendable {
    enum Kind: String, Sendable { case file = "f", link = "l", directory = "d" }

    struct Entry: Sendable {
        /// Path from the top of the tree, as the kernel has it, without NUL.
        var path: [UInt8]
        var kind: Kind
        /// Permission bits.
        var mode: UInt32
        /// Bytes of a file or of a link's target; 0 for directories.
        var size: Int
        /// Of the contents, or of the link's target; empty for directories.
        var sha256: String
        /// Nanoseconds since 1970; 0 for directories and links.
        var modified: Int64
        var changed: Int64
    }

    private(set) var entries: [Entry]

    init(entries: [Entry]) {
        self.entries = entries.sorted { $0.path.lexicographicallyPrecedes($1.path) }
    }

    var files: Int { entries.count { $0.kind != .directory } }
    var bytes: Int { entries.reduce(0) { $1.kind == .file ? $0 &+ $1.size : $0 } }

    /// The hash over everything but the times.
    var sha256: String {
        var hash = SHA256()
        for entry in entries { hash.update(data: entry.head + entry.tail) }
        return hexadecimal(hash.finalize())
    }

    private static let header = "kinto-artifact 1\n"

    func encoded() -> [UInt8] {
        var out = Array(ArtifactManifest.header.utf8)
        for entry in entries {
            out += entry.head
            out += Array("\(entry.modified) \(entry.changed) ".utf8)
            out += entry.tail
        }
        return out
    }

    /// nil when the bytes are not a whole manifest of a version that is known.
    init?(decoding bytes: [UInt8]) {
        let header = Array(ArtifactManifest.header.utf8)
        guard bytes.starts(with: header), bytes.last == UInt8(ascii: "\n") else { return nil }
        var entries: [Entry] = []
        for line in bytes[header.count...].split(separator: UInt8(ascii: "\n")) {
            let fields = line.split(
                separator: UInt8(ascii: " "), maxSplits: 6, omittingEmptySubsequences: false)
            guard fields.count == 7, let kind = Kind(rawValue: String(decoding: fields[0], as: UTF8.self)),
                let mode = UInt32(String(decoding: fields[1], as: UTF8.self), radix: 8),
                let size = Int(String(decoding: fields[2], as: UTF8.self)), size >= 0,
                let modified = Int64(String(decoding: fields[4], as: UTF8.self)),
                let changed = Int64(String(decoding: fields[5], as: UTF8.self)),
                let path = unescaped(fields[6]), !path.isEmpty
            else { return nil }
            let hash = String(decoding: fields[3], as: UTF8.self)
            entries.append(
                Entry(
                    path: path, kind: kind, mode: mode, size: size, sha256: hash == "-" ? "" : hash,
                    modified: modified, changed: changed))
        }
        self.init(entries: entries)
    }
}

extension ArtifactManifest.Entry {
    /// For messages.
    var shownPath: String { shown(path) }

    fileprivate var head: [UInt8] {
        Array("\(kind.rawValue) \(String(mode, radix: 8)) \(size) \(sha256.isEmpty ? "-" : sha256) ".utf8)
    }
    fileprivate var tail: [UInt8] { escaped(path) + [UInt8(ascii: "\n")] }
}

/// Line breaks and backslashes as `\xHH`: a path may hold any byte but NUL.
private func escaped(_ path: [UInt8]) -> [UInt8] {
    var out: [UInt8] = []
    out.reserveCapacity(path.count)
    for byte in path {
        if byte == UInt8(ascii: "\n") || byte == UInt8(ascii: "\\") {
            out += Array("\\x\(hexadecimal([byte]))".utf8)
        } else {
            out.append(byte)
        }
    }
    return out
}

private func unescaped(_ text: ArraySlice<UInt8>) -> [UInt8]? {
    var out: [UInt8] = []
    var index = text.startIndex
    while index < text.endIndex {
        guard text[index] == UInt8(ascii: "\\") else {
            out.append(text[index])
            index += 1
            continue
        }
        guard text.endIndex - index >= 4, text[index + 1] == UInt8(ascii: "x"),
            let byte = UInt8(String(decoding: text[(index + 2)..<(index + 4)], as: UTF8.self), radix: 16)
        else { return nil }
        out.append(byte)
        index += 4
    }
    return out
}
