// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import NIOCore
internal import Runner
internal import Wire

/// One of the two logs of a release on its page: the last lines, or those around one that a link names.
struct LogView {
    enum Kind: String, CaseIterable {
        case log, console

        var heading: String { self == .log ? "Release log" : "Console log" }
        /// Before the number of a line in the page's address.
        var mark: String { self == .log ? "L" : "C" }
    }

    let kind: Kind
    let path: String
    /// Of the release's page.
    let place: String
    /// The instance that somebody chose, whose console is shown; nil: the main one's. It stays chosen in every link.
    let process: String?
    let index: LogIndex

    /// Lines on one page.
    static let lines = 500
    /// Lines that a search shows.
    private static let most = 200

    /// - Parameters:
    ///   - line: one that is looked for; nil: the end.
    ///   - wanted: what is searched for in the whole log.
    func values(at line: Int?, wanted: String?) async throws -> [String: Any] {
        let (path, index) = (path, index)
        let window = try await Blocking.run {
            // Some before it, so that it is seen where it stands.
            index.window(path, from: line.map { max(1, $0 - 100) }, limit: LogView.lines)
        }
        var reader = DashboardLines(after: window.first - 1)
        let shown = reader.next(ByteBuffer(bytes: DashboardLines.text.shown(window.bytes)))
        let isAtEnd = window.isAtEnd
        var view: [String: Any] = [
            "kind": kind.rawValue, "heading": heading, "mark": kind.mark, "place": false,
            "stream": isAtEnd ? "\(place)/\(kind.rawValue)/stream\(query)" : false as Any,
            "after": window.last, "download": address("/\(kind.rawValue)"),
            "error": address("/\(kind.rawValue)/first-error"),
            "page": place, "jump": "\(place)\(query)", "process": process ?? false as Any,
            "isWhole": window.first <= window.all.lowerBound && isAtEnd,
            "lines": shown.map { line -> [String: Any] in
                [
                    "id": line.number, "time": line.time, "bad": line.isBad,
                    "parts": line.parts.map { ["style": $0.style, "text": $0.text] },
                ]
            },
        ]
        let earlier = window.first - window.all.lowerBound
        view["earlier"] =
            earlier > 0
            ? [
                "count": earlier,
                "path": link(max(1, window.first - LogView.lines + 100), at: window.first - 1),
            ]
                as [String: Any] : false
        let later = window.all.upperBound - window.last
        view["later"] =
            later > 0
            ? ["count": later, "path": link(window.last + 101, at: window.last + 1)] as [String: Any] : false
        view["end"] = isAtEnd ? false as Any : "\(address())#\(kind.rawValue)"
        view["gone"] = window.all.lowerBound > 1 ? window.all.lowerBound - 1 : false as Any
        if let wanted, !wanted.isEmpty { view.merge(try await search(wanted)) { $1 } }
        return view
    }

    private var heading: String {
        kind == .console ? process.map { "\(kind.heading) of \($0)" } ?? kind.heading : kind.heading
    }

    /// Ready for one more parameter. A name of an instance has no character that means something there.
    private var query: String { process.map { "?process=\($0)&" } ?? "?" }

    /// Of the release's page, or of something below it, with what was chosen.
    func address(_ path: String = "") -> String {
        place + path + (process.map { "?process=\($0)" } ?? "")
    }

    /// The page with a note on it.
    func address(seen: String) -> String { "\(place)\(query)seen=\(seen)#\(kind.rawValue)" }

    func link(_ line: Int, at mark: Int) -> String {
        "\(place)\(query)\(kind.rawValue)=\(line)#\(kind.mark)\(mark)"
    }

    private func search(_ wanted: String) async throws -> [String: Any] {
        let (path, index) = (path, index)
        let text = wanted.utf8.prefix(200).map { $0 &- 65 < 26 ? $0 | 0x20 : $0 }
        let found = try await Blocking.run { index.lines(path, with: [text], limit: LogView.most + 1) }
        return [
            "wanted": wanted, "searched": true, "hasFound": !found.isEmpty,
            "many": found.count > LogView.most ? LogView.most : false as Any,
            "found": found.prefix(LogView.most).map { hit -> [String: Any] in
                let plain = LogText(times: false, isTerminal: false).shown(hit.line + [UInt8(ascii: "\n")])
                return [
                    "id": hit.number, "path": link(hit.number, at: hit.number),
                    "text": String(decoding: plain.dropLast(), as: UTF8.self),
                ]
            },
        ]
    }
}
