// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore

/// The lines of `kinto top`: for a screen of some size, or all of them.
struct TopPicture {
    let model: TopModel

    private static let mostArrivals = 5
    private static let widestName = 30

    private struct Column {
        let title: String
        var isRight = false
    }

    private static let columns = [
        Column(title: "SERVICE"), Column(title: "ENVIRONMENT"), Column(title: "STATE"),
        Column(title: "LIVE", isRight: true), Column(title: "REQ/S", isRight: true),
        Column(title: "ERR/S", isRight: true), Column(title: "P99", isRight: true),
        Column(title: "MEMORY", isRight: true), Column(title: "INSTANCES"), Column(title: "SUBJECT"),
    ]

    /// How many lines the list has on a screen of so many.
    func page(_ rows: Int) -> Int {
        model.log == nil ? max(1, rows - top.count - 2) : max(1, rows - 2)
    }

    /// All of it, without a screen.
    var lines: [StyledLine] { top + table(model.places).map(\.line) }

    /// Exactly as many lines as the screen has, ready to be written.
    func drawn(columns: Int, rows: Int, hasColours: Bool) -> [String] {
        var drawn: [String] = []
        func add(_ line: StyledLine, _ all: StyledLine.Style? = nil) {
            drawn.append(line.drawn(columns, hasColours: hasColours, all: all))
        }
        let page = page(rows)
        if let log = model.log {
            add(StyledLine(log.title), .chosen)
            let lines = log.text.lines
            let end = max(0, lines.count - log.back)
            for line in lines[max(0, end - page)..<end] { add(StyledLine(line)) }
        } else {
            for line in top { add(line) }
            let places = model.places
            let table = table(places)
            let chosen = model.index(in: places)
            // The chosen one stays in the middle, as far as there is something on both sides.
            let first = max(0, min(chosen - page / 2, places.count - page))
            for (index, row) in table.enumerated() {
                let place = index - 1
                if index == 0 {
                    add(row.line)
                } else if (first..<(first + page)).contains(place) {
                    add(row.line, place == chosen ? .chosen : nil)
                }
            }
        }
        let room = max(0, rows - 1)
        drawn = Array(drawn.prefix(room))
        drawn += Array(repeating: "", count: room - drawn.count)
        add(foot)
        return drawn
    }

    private var foot: StyledLine {
        if let log = model.log {
            return StyledLine("q back  ↑↓ scroll  G end" + (log.text.end.map { "  (\($0))" } ?? ""), .dim)
        }
        if model.isTyping {
            return StyledLine("/\(model.filter)▏ Enter keeps it, Esc takes it away", .strong)
        }
        let filter = model.filter.isEmpty ? "/ filter" : "/\(model.filter) (Esc: all)"
        return StyledLine("q quit  ↑↓ select  Enter log  s sort: \(model.sort.rawValue)  \(filter)", .dim)
    }

    // MARK: The server, and what is on its way

    private var top: [StyledLine] {
        let overview = model.overview
        var head = StyledLine("kinto \(overview.version)", .strong)
        head.add("  \(model.server)")
        let deploying = overview.releases.count { $0.status == .deploying }
        head.add("  \(deploying) deploying, \(overview.releases.count - deploying) queued")
        if let storage = overview.storage {
            head.add("  disk: home \(Bytes.text(storage.home)), free \(TopPicture.bytes(storage.free))")
        }
        head.add("  proxy: ")
        overview.proxy.answers
            ? head.add(overview.proxy.name ?? "answers", .good) : head.add("does not answer", .bad)
        var lines = [head]
        if let trouble = model.trouble { lines.append(StyledLine(" !     \(trouble)", .bad)) }
        let arrivals = overview.releases
        lines += arrivals.prefix(TopPicture.mostArrivals).map(TopPicture.arrival)
        if arrivals.count > TopPicture.mostArrivals {
            lines.append(StyledLine("       and \(arrivals.count - TopPicture.mostArrivals) more", .dim))
        }
        return lines + [StyledLine()]
    }

    private static func arrival(_ arrival: Overview.Arrival) -> StyledLine {
        var line = StyledLine("-----> \(arrival.service)/\(arrival.environment) \(arrival.number)", .busy)
        if arrival.status == .deploying {
            line.add("  \(arrival.stage ?? "begins")", .strong)
            let isSlow = arrival.stageUsual.flatMap { usual in
                arrival.stageElapsed.map { StageTimes.isSlow($0, usual: usual) }
            }
            if let time = arrival.stageElapsed {
                let usual = arrival.stageUsual.map { ", usually \(StageTimes.words($0))" } ?? ""
                line.add(" for \(StageTimes.words(time))\(usual)", isSlow == true ? .bad : .plain)
            }
            let usual = arrival.usual.map { " of about \(StageTimes.words($0))" } ?? ""
            line.add("  in all \(StageTimes.words(arrival.elapsed))\(usual)")
        } else {
            line.add("  \(arrival.on), for \(StageTimes.words(arrival.elapsed))")
        }
        line.add("  \(arrival.subject)", .dim)
        return line
    }

    // MARK: The table

    /// The head first.
    private func table(_ places: [Overview.Place]) -> [(line: StyledLine, cells: Int)] {
        let rows = [TopPicture.columns.map { ($0.title, StyledLine.Style.strong) }] + places.map(cells)
        let widths = TopPicture.columns.indices.map { column in
            rows.map { Cells.width($0[column].0) }.max() ?? 0
        }
        return rows.map { row in
            var line = StyledLine()
            for (index, cell) in row.enumerated() {
                let isLast = index == row.count - 1
                let text =
                    isLast
                    ? cell.0 : Cells.fill(cell.0, widths[index], isRight: TopPicture.columns[index].isRight)
                line.add(text + (isLast ? "" : "  "), cell.1)
            }
            return (line, widths.reduce(0, +))
        }
    }

    private func cells(_ place: Overview.Place) -> [(String, StyledLine.Style)] {
        let failed = place.last.flatMap { last in
            last.status == .failed && last.number > place.live?.number ?? 0 ? last.number : nil
        }
        var state = place.state == "none" ? "Not deployed" : place.state.capitalized
        if let failed { state += " (\(failed) failed)" }
        let tone: StyledLine.Style =
            failed != nil || place.deploysStopped != nil
            ? .bad : place.state == "live" ? .good : place.state == "none" ? .dim : .busy
        let isDown = place.processes.contains { $0.running < $0.instances }
        return [
            (Cells.cut(Cells.plain(place.service), TopPicture.widestName), .strong),
            (Cells.cut(Cells.plain(place.environment), TopPicture.widestName), .plain),
            (state, tone), (place.live.map { "\($0.number)" } ?? "-", .plain),
            (TopPicture.rate(place.requests), .plain),
            (TopPicture.rate(place.errors), place.errors ?? 0 > 0 ? .bad : .plain),
            (place.p99.map(StageTimes.words) ?? "-", .plain),
            (place.memory.map { Bytes.text($0) } ?? "-", .plain),
            (TopPicture.running(place), isDown ? .bad : .plain),
            (Cells.plain(place.live?.subject ?? ""), .plain),
        ]
    }

    /// `files`, `web 2`, `worker 1 of 2 (3 restarts)`
    private static func running(_ place: Overview.Place) -> String {
        ((place.site == true ? ["files"] : []) + place.processes.map(running)).joined(separator: ", ")
    }

    private static func running(_ process: Overview.Running) -> String {
        let count =
            process.running == process.instances
            ? "\(process.instances)" : "\(process.running) of \(process.instances)"
        let restarts =
            process.restarts == 0
            ? "" : process.restarts == 1 ? " (1 restart)" : " (\(process.restarts) restarts)"
        return Cells.plain("\(process.type) \(count)\(restarts)")
    }

    private static func rate(_ value: Double?) -> String {
        guard let value, value.isFinite, value >= 0, value < 1e12 else { return "-" }
        if value == 0 { return "0" }
        if value < 10 { return "\((value * 10).rounded(.up) / 10)" }
        return value < 10_000 ? "\(Int(value.rounded()))" : "\(Int((value / 1000).rounded()))k"
    }

    private static func bytes(_ value: Double) -> String {
        Bytes.text(value.isFinite && value >= 0 && value < 9e18 ? Int64(value) : 0)
    }
}
