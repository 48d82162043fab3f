// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// What heads say of the files of a site: each text once, and not more of them than the proxy should keep in memory.
struct SiteHeads {
    private struct Key: Hashable {
        var blocks: [Int]
        var type: String
        var isHashed: Bool
    }

    private let headers: SiteHeaders
    private var places: [Key: Int] = [:]
    private(set) var texts: [String] = []
    private var bytes = 0
    /// Whether `_headers` says more than is taken.
    private(set) var isCut = false

    private static let most = 8 << 20

    init(_ headers: SiteHeaders) { self.headers = headers }

    /// Where the text for a path is.
    mutating func place(_ path: [UInt8], type: String) -> Int {
        let name = path.split(separator: UInt8(ascii: "/")).last ?? []
        var key = Key(
            blocks: headers.matching(path), type: type, isHashed: HashedName.matches(name))
        if let known = places[key] { return known }
        if bytes > SiteHeads.most {
            isCut = true
            key.blocks = []
            if let known = places[key] { return known }
        }
        let (text, wasCut) = headers.lines(
            key.blocks,
            usual: [
                ("Content-Type", type),
                (
                    "Cache-Control",
                    key.isHashed
                        ? "public, max-age=31536000, immutable" : "public, max-age=0, must-revalidate"
                ),
            ])
        isCut = isCut || wasCut
        bytes += text.utf8.count
        texts.append(text)
        places[key] = texts.count - 1
        return texts.count - 1
    }
}
