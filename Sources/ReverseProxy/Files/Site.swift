// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// The files of one release, as its index lists them. Any thread may ask. All texts are one piece of memory: there may be a
/// hundred thousand files, and several releases of them.
final class Site: Sendable {
    /// A part of the text.
    struct Piece: Sendable {
        fileprivate let start: UInt32
        fileprivate let count: UInt32
    }

    struct Variant: Sendable {
        let source: Piece
        let size: Int
    }

    struct File: Sendable {
        let source: Piece
        let size: Int
        let tag: Piece
        let isPage: Bool
        let gzip: Variant?
        let brotli: Variant?
    }

    enum Answer: Sendable {
        case file(Int, fields: [UInt8])
        case moved([UInt8])
    }

    private enum Place: Sendable {
        case file(UInt32, head: UInt32)
        case moved(Piece)
    }

    let files: [File]
    /// In the order of their file.
    let rules: [SiteRule]
    /// Those of them that count where a file is, too.
    let forcedRules: [SiteRule]
    private let text: [UInt8]
    private let heads: [[UInt8]]
    /// By the bytes of the path, in their order.
    private let places: [(path: Piece, is: Place)]
    /// The directory that all sources are below.
    private let root: Beneath

    /// Reads an index.
    /// - Throws: `SystemError`, `WireError`.
    convenience init(_ path: String) throws {
        let index = try SiteIndex(Fields(decoding: Files.read(path, limit: 512 << 20)))
        try self.init(index, in: Beneath(Files.parent(of: Files.parent(of: path))))
    }

    init(_ index: SiteIndex, in root: Beneath) throws(WireError) {
        self.root = root
        var text: [UInt8] = []
        func keep(_ bytes: some Collection<UInt8>) throws(WireError) -> Piece {
            guard let start = UInt32(exactly: text.count), let count = UInt32(exactly: bytes.count) else {
                throw .tooLarge(text.count)
            }
            text.append(contentsOf: bytes)
            return Piece(start: start, count: count)
        }
        func keep(_ variant: SiteIndex.Variant?) throws(WireError) -> Variant? {
            guard let variant else { return nil }
            return try Variant(source: keep(variant.source.utf8), size: variant.size)
        }
        var files: [File] = []
        files.reserveCapacity(index.files.count)
        for file in index.files {
            files.append(
                try File(
                    source: keep(file.source.utf8), size: file.size, tag: keep(file.tag.utf8),
                    isPage: file.isPage, gzip: keep(file.gzip), brotli: keep(file.brotli)))
        }
        self.files = files
        heads = index.heads.map { Array($0.utf8) }
        rules = index.rules.map(SiteRule.init)
        forcedRules = rules.filter(\.isForced)
        var places: [(path: Piece, is: Place)] = []
        places.reserveCapacity(index.answers.count)
        for (path, answer) in index.answers.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            let place: Place =
                switch answer {
                case .file(let number, let head):
                    .file(UInt32(clamping: number), head: UInt32(clamping: head))
                case .moved(let to): .moved(try keep(to.utf8))
                }
            places.append((try keep(path), place))
        }
        self.places = places
        self.text = text
    }

    /// What answers of one that was replaced where the one that is live has nothing: its files that are no pages, few of many
    /// mostly.
    init(_ earlier: Site, without live: Site) throws(WireError) {
        var text: [UInt8] = []
        func keep(_ piece: Piece) throws(WireError) -> Piece {
            let bytes = earlier.text(piece)
            guard let start = UInt32(exactly: text.count) else { throw .tooLarge(text.count) }
            text.append(contentsOf: bytes)
            return Piece(start: start, count: piece.count)
        }
        func keep(_ variant: Variant?) throws(WireError) -> Variant? {
            guard let variant else { return nil }
            return try Variant(source: keep(variant.source), size: variant.size)
        }
        var files: [File] = []
        var places: [(path: Piece, is: Place)] = []
        for place in earlier.places {
            guard case .file(let number, let head) = place.is, earlier.files.indices.contains(Int(number)),
                !earlier.files[Int(number)].isPage, live[Array(earlier.text(place.path))] == nil
            else { continue }
            let file = earlier.files[Int(number)]
            places.append((try keep(place.path), .file(UInt32(clamping: files.count), head: head)))
            files.append(
                try File(
                    source: keep(file.source), size: file.size, tag: keep(file.tag), isPage: false,
                    gzip: keep(file.gzip), brotli: keep(file.brotli)))
        }
        (self.files, self.places, self.text) = (files, places, text)
        (heads, rules, forcedRules, root) = (earlier.heads, [], [], earlier.root)
    }

    func text(_ piece: Piece) -> ArraySlice<UInt8> {
        text[Int(piece.start)..<Int(piece.start) + Int(piece.count)]
    }

    /// - Parameter path: decoded.
    subscript(path: [UInt8]) -> Answer? {
        var (low, high) = (0, places.count)
        while low < high {
            let middle = (low + high) / 2
            if text(places[middle].path).lexicographicallyPrecedes(path) {
                low = middle + 1
            } else {
                high = middle
            }
        }
        guard low < places.count, text(places[low].path).elementsEqual(path) else { return nil }
        switch places[low].is {
        case .file(let number, let head):
            guard files.indices.contains(Int(number)), heads.indices.contains(Int(head)) else { return nil }
            return .file(Int(number), fields: heads[Int(head)])
        case .moved(let to): return .moved(Array(text(to)))
        }
    }

    /// What custom and default fields say of a file that is not asked for by its own path.
    func file(at path: [UInt8]) -> (number: Int, fields: [UInt8])? {
        guard case .file(let number, let fields)? = self[path] else { return nil }
        return (number, fields)
    }

    /// Opens a file of the index; nil when it is not there any more, or is not what it was.
    func open(_ source: Piece, size: Int) -> Descriptor? {
        guard let file = try? root.file(String(decoding: text(source), as: UTF8.self)) else { return nil }
        var status = stat()
        guard fstat(file.raw, &status) == 0, Int(status.st_size) == size else { return nil }
        return file
    }
}
