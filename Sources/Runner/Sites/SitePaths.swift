// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// At which paths of URLs the files of a site stand: at their own, a page also without `.html`, and the page of a directory at
/// the directory.
struct SitePaths {
    private let prefix: String
    private let isSite: Bool
    /// The paths of files, of pages without their ends, and those that lead to others, in the order in which they count.
    private var files: [String: Int] = [:]
    private var pages: [String: Int] = [:]
    private var moved: [String: String] = [:]

    init(_ source: SiteSource) {
        prefix = source.path == "/" ? "/" : "\(source.path)/"
        isSite = source.isSite
    }

    /// - Parameter path: below the directory of the site.
    mutating func add(_ path: String, _ number: Int) {
        let path = prefix + path
        files[path] = number
        guard isSite else { return }
        if path.hasSuffix("/index.html") {
            let directory = String(path.dropLast("index.html".count))
            pages[directory] = number
            if directory != "/" { moved[String(directory.dropLast())] = directory }
        } else if path.hasSuffix(".html"), !path.hasSuffix("/.html") {
            let plain = String(path.dropLast(".html".count))
            pages[plain] = number
            if moved["\(plain)/"] == nil { moved["\(plain)/"] = plain }
        }
    }

    /// - Parameter fields: what is said of the file at a path.
    func answers(_ fields: (String, Int) -> String) -> [String: SiteIndex.Answer] {
        var answers = moved.mapValues { SiteIndex.Answer.moved(SitePaths.encoded($0)) }
        for (path, number) in pages.merging(files, uniquingKeysWith: { $1 }) {
            answers[path] = .file(number, fields: fields(path, number))
        }
        return answers
    }

    /// As it stands in a URL (RFC 3986, 3.3).
    private static func encoded(_ path: String) -> String {
        var out = ""
        for byte in path.utf8 {
            switch byte {
            case 0x30...0x39, 0x41...0x5A, 0x61...0x7A: out.unicodeScalars.append(Unicode.Scalar(byte))
            default:
                if "-._~!$&'()*+,;=:@/".utf8.contains(byte) {
                    out.unicodeScalars.append(Unicode.Scalar(byte))
                } else {
                    out += "%\(hexadecimal([byte]))"
                }
            }
        }
        return out
    }
}
