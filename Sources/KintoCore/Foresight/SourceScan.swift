// SPDX-License-Identifier: Apache-2.0
internal import Wire

/// What the texts of a tree say of ports and variables. One pass; lines in which nothing of interest can stand are passed over.
struct SourceScan {
    struct Place {
        let path: String
        let line: Int
        let text: String

        var description: String { "\(path):\(line): \(text)" }
    }

    private(set) var ports: [(port: Int, place: Place)] = []
    /// Variables that are read without a default, where each is read first.
    private(set) var reads: [String: Place] = [:]
    /// Whether anything takes the port that it is given.
    private(set) var asksForPort = false

    /// Of a minified file a line is a whole program.
    private static let longest = 500
    private static let shown = 120

    init(_ tree: SourceTree) {
        for text in tree.texts { read(text) }
    }

    private mutating func read(_ text: SourceTree.Text) {
        if !asksForPort {
            asksForPort = SourcePatterns.asksForPort.contains { SourceScan.contains(text.bytes[...], $0) }
        }
        let ending =
            text.path.lastIndex(of: ".").map { String(text.path[text.path.index(after: $0)...]).lowercased() }
            ?? ""
        guard let language = SourcePatterns.languages.first(where: { $0.endings.contains(ending) }) else {
            return
        }
        var number = 0
        var pending: [(name: String, place: Place)] = []
        for line in text.bytes.split(separator: 0x0A, omittingEmptySubsequences: false) {
            number += 1
            // A variable that the next line looks at may be missing.
            for read in pending
            where !SourceScan.contains(line, SourceScan.condition) && reads[read.name] == nil {
                reads[read.name] = read.place
            }
            pending = []
            let mayListen = SourceScan.ports.contains { SourceScan.contains(line, $0) }
            let mayRead = SourceScan.reads.contains { SourceScan.contains(line, $0) }
            guard line.count <= SourceScan.longest, mayListen || mayRead else { continue }
            let words = LogLineText(line)
            guard !SourceScan.isComment(words.original) else { continue }
            func place() -> Place {
                Place(
                    path: text.path, line: number,
                    text: String(decoding: words.original.prefix(SourceScan.shown), as: UTF8.self))
            }
            if mayListen, let port = SourceScan.port(words, language.ports) { ports.append((port, place())) }
            if mayRead, let name = SourceScan.read(words, language.reads) { pending.append((name, place())) }
        }
        for read in pending where reads[read.name] == nil { reads[read.name] = read.place }
    }

    private static let ports: [[UInt8]] = [
        "isten", "ort", "ORT", "erve", "\":", "bind", "0.0.0.0", "127.", "htons", "tart", "run(", "ocket",
    ].map {
        Array($0.utf8)
    }
    private static let reads: [[UInt8]] = ["env", "ENV", "nvironment"].map { Array($0.utf8) }

    static func port(_ line: LogLineText, _ patterns: [LogPattern]) -> Int? {
        for pattern in patterns {
            if let port = pattern.match(line)?["port"].flatMap({ Int($0) }),
                !SourcePatterns.ofOthers.contains(port)
            {
                return port
            }
        }
        return nil
    }

    /// What may come after a name, or before it, when it need not be set.
    private static let defaults: [[UInt8]] = [
        "||", "??", " or ", "?:", "?.", "unwrap_or", "===", "!==", "==", "!=", " ? ", "ok()", "is_ok", "&&",
        "!!",
    ].map { Array($0.utf8) }

    private static func read(_ line: LogLineText, _ patterns: [LogPattern]) -> String? {
        for pattern in patterns {
            guard let name = pattern.match(line)?["variable"], !SourcePatterns.isGiven(name) else { continue }
            let isOptional =
                line.folded.starts(with: condition) || line.folded.starts(with: Array("if(".utf8))
                || defaults.contains { contains(line.folded[...], $0) }
            return isOptional ? nil : name
        }
        return nil
    }

    private static let condition = Array("if ".utf8)
    private static let comments = ["//", "#", "*", "/*", "--", ";"].map { Array($0.utf8) }

    private static func isComment(_ line: [UInt8]) -> Bool { comments.contains { line.starts(with: $0) } }

    private static func contains(_ bytes: ArraySlice<UInt8>, _ text: [UInt8]) -> Bool {
        bytes.withUnsafeBytes { $0.find(text) != nil }
    }
}
