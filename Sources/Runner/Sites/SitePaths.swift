// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// At which paths of URLs the files of a site stand: at their own, a page also without `.html`, and the page of a directory at
/// the directory. All in bytes: to the disk names are no texts.
struct SitePaths {
    private let prefix: [UInt8]
    private let isSite: Bool
    /// The paths of files, of pages without their ends, and those that lead to others, in the order in which they count.
    private var files: [[UInt8]: Int] = [:]
    private var pages: [[UInt8]: Int] = [:]
    private var moved: [[UInt8]: [UInt8]] = [:]

    private static let slash = UInt8(ascii: "/")
    private static let index = Array("/index.html".utf8)
    private static let page = Array(".html".utf8)

    init(_ source: SiteSource) {
        prefix = Array((source.path == "/" ? "/" : "\(source.path)/").utf8)
        isSite = source.isSite
    }

    /// - Parameter path: below the directory of the site.
    mutating func add(_ path: String, _ number: Int) {
        let path = prefix + path.utf8
        files[path] = number
        guard isSite else { return }
        if path.suffix(SitePaths.index.count).elementsEqual(SitePaths.index) {
            let directory = Array(path.dropLast(SitePaths.index.count - 1))
            pages[directory] = number
            if directory.count > 1 { moved[Array(directory.dropLast())] = directory }
        } else if path.suffix(SitePaths.page.count).elementsEqual(SitePaths.page) {
            let plain = Array(path.dropLast(SitePaths.page.count))
            guard plain.last != SitePaths.slash else { return }
            pages[plain] = number
            let directory = plain + [SitePaths.slash]
            if moved[directory] == nil { moved[directory] = plain }
        }
    }

    /// - Parameter head: the place of what is said of the file at a path.
    func answers(_ head: ([UInt8], Int) throws -> Int) rethrows -> [[UInt8]: SiteIndex.Answer] {
        var answers = moved.mapValues { SiteIndex.Answer.moved(SitePaths.encoded($0)) }
        for (path, number) in pages.merging(files, uniquingKeysWith: { $1 }) {
            answers[path] = .file(number, head: try head(path, number))
        }
        return answers
    }

    /// As it stands in a URL (RFC 3986, 3.3).
    private static func encoded(_ path: [UInt8]) -> String {
        let plain = Array("-._~!$&'()*+,;=:@/".utf8)
        var out: [UInt8] = []
        for byte in path {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: out.append(byte)
            default: out += plain.contains(byte) ? [byte] : Array("%\(hexadecimal([byte]))".utf8)
            }
        }
        return String(decoding: out, as: UTF8.self)
    }
}
