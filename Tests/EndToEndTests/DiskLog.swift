// SPDX-License-Identifier: Apache-2.0
import Foundation
import TestSupport
import Wire

/// What changed files, in order, as `Tests/Shim/storage.c` wrote it down.
struct DiskLog {
    struct Entry {
        let kind: Character
        let inode: UInt64
        let a: Int
        let path: String
        let data: ArraySlice<UInt8>
    }
    let entries: [Entry]

    init(_ path: String) throws {
        let bytes = try Files.read(path, limit: 1 << 30)
        var entries: [Entry] = []
        var rest = bytes[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let words = String(decoding: rest[..<end], as: UTF8.self).split(
                separator: " ", maxSplits: 4, omittingEmptySubsequences: false)
            rest = rest[(end + 1)...]
            guard words.count == 5, let kind = words[0].first, let inode = UInt64(words[1]),
                let a = Int(words[2]), let b = Int(words[3])
            else { throw Trouble("the log of the disk cannot be read") }
            let count = kind == "W" ? b : 0
            // Another process may have died in the middle of its last entry.
            guard rest.count >= count else { break }
            entries.append(
                Entry(kind: kind, inode: inode, a: a, path: String(words[4]), data: rest.prefix(count)))
            rest = rest.dropFirst(count)
        }
        self.entries = entries
    }
}

/// A disk that has been told the entries of a log one by one: what is sure to be on it, and what may be.
struct Disk {
    private enum Change {
        case write(Int, ArraySlice<UInt8>)
        case cut(Int)
        case mode(mode_t)
    }
    private struct File {
        var bytes: [UInt8] = []
        var mode: mode_t
        var pending: [Change] = []

        mutating func settle(_ changes: some Sequence<Change>) {
            for change in changes {
                switch change {
                case .write(let offset, let data):
                    if bytes.count < offset + data.count {
                        bytes += [UInt8](repeating: 0, count: offset + data.count - bytes.count)
                    }
                    bytes.replaceSubrange(offset..<offset + data.count, with: data)
                case .cut(let size):
                    bytes =
                        size <= bytes.count
                        ? Array(bytes.prefix(size)) : bytes + [UInt8](repeating: 0, count: size - bytes.count)
                case .mode(let mode): self.mode = mode
                }
            }
        }
    }
    private struct Directory {
        var now: [String: Int] = [:]
        var durable: [String: Int] = [:]
    }
    private var files: [Int: File] = [:]
    private var directories: [Int: Directory] = [0: Directory()]
    private var inodes: [UInt64: Int] = [:]
    private var next = 1
    private let root: String
    private let ordered: String
    private var orderedDirectories: Set<Int> = []

    /// - Parameter ordered: a directory at the top in which programs synchronise files and not directories, as git does:
    ///   below it the names are sure as soon as anything at all was synchronised after them, which is how file systems
    ///   with a journal (ext4, XFS) keep them. Elsewhere nothing is taken for sure that POSIX does not promise.
    init(root: String, ordered: String = "") { (self.root, self.ordered) = (root, "\(root)/\(ordered)") }

    mutating func apply(_ entry: DiskLog.Entry) {
        switch entry.kind {
        case "C":
            files[next] = File(mode: mode_t(entry.a))
            inodes[entry.inode] = next
            enter(entry.path, next)
        case "M":
            directories[next] = Directory()
            enter(entry.path, next)
            if entry.path.hasPrefix(ordered) { orderedDirectories.insert(next) }
        case "W": change(entry.inode, .write(entry.a, entry.data))
        case "Z": change(entry.inode, .cut(entry.a))
        case "P": change(entry.inode, .mode(mode_t(entry.a)))
        case "F":
            if let node = inodes[entry.inode], let changes = files[node]?.pending {
                files[node]?.settle(changes)
                files[node]?.pending = []
            }
        case "D":
            if let node = find(entry.path), let now = directories[node]?.now {
                directories[node]?.durable = now
            }
        case "Y":
            for (node, file) in files where !file.pending.isEmpty {
                files[node]?.settle(file.pending)
                files[node]?.pending = []
            }
            for (node, directory) in directories { directories[node]?.durable = directory.now }
        case "R":
            let paths = entry.path.split(separator: "\t").map(String.init)
            guard paths.count == 2, let node = find(paths[0]) else { return }
            enter(paths[0], nil)
            enter(paths[1], node)
        case "L":
            let paths = entry.path.split(separator: "\t").map(String.init)
            guard paths.count == 2, let node = find(paths[0]) else { return }
            enter(paths[1], node)
        case "U": enter(entry.path, nil)
        default: break
        }
        if "FDY".contains(entry.kind) {
            for node in orderedDirectories {
                guard let now = directories[node]?.now else { continue }
                directories[node]?.durable = now
            }
        }
        next += 1
    }

    private mutating func change(_ inode: UInt64, _ change: Change) {
        guard let node = inodes[inode] else { return }
        files[node]?.pending.append(change)
    }

    private func parts(_ path: String) -> [String] {
        path.dropFirst(root.count).split(separator: "/").filter { $0 != "." }.map(String.init)
    }

    private func find(_ path: String) -> Int? {
        parts(path).reduce(0 as Int?) { node, name in node.flatMap { directories[$0]?.now[name] } }
    }

    private mutating func enter(_ path: String, _ node: Int?) {
        guard let name = parts(path).last, let parent = find(Files.parent(of: path)) else { return }
        directories[parent]?.now[name] = node
    }

    /// Makes what the disk may hold when the power goes now: all that was synchronised, and of the rest nothing, all
    /// or any part, in any order, the last piece torn.
    /// - Parameter names: what at the top of the directory is wanted.
    func lose(_ random: inout Dice, into directory: String, only names: Set<String>) throws {
        try make(0, directory, &random) { names.contains($0) }
    }

    private func make(_ node: Int, _ path: String, _ random: inout Dice, _ wanted: (String) -> Bool) throws {
        if let directory = directories[node] {
            try Files.makeDirectories(path)
            let entries = random.chance() ? directory.durable : directory.now
            for (name, child) in entries.sorted(by: { $0.key < $1.key }) where wanted(name) {
                try make(child, "\(path)/\(name)", &random) { _ in true }
            }
        } else if var file = files[node] {
            switch random.below(4) {
            case 0: break
            case 1: file.settle(file.pending)
            case 2: file.settle(file.pending.prefix(random.below(file.pending.count + 1)))
            default:
                file.settle(
                    file.pending.compactMap { change in
                        guard random.chance() else { return nil }
                        guard case .write(let offset, let data) = change, random.below(4) == 0 else {
                            return change
                        }
                        // Whole sectors.
                        return .write(offset, data.prefix(random.below(data.count / 512 + 1) * 512))
                    })
            }
            try Files.replace(path, with: file.bytes, mode: 0o600, durable: false)
            chmod(path, file.mode | 0o400)
        }
    }
}

/// Random numbers that a failure can be repeated with.
struct Dice {
    private var state: UInt64

    init(seed: UInt64) { state = seed &* 2 &+ 1 }

    mutating func below(_ count: Int) -> Int {
        state = state &* 6_364_136_223_846_793_005 &+ 1_442_695_040_888_963_407
        return count <= 1 ? 0 : Int((state >> 33) % UInt64(count))
    }

    mutating func chance() -> Bool { below(2) == 0 }
}
