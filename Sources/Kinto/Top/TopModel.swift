// SPDX-License-Identifier: Apache-2.0

/// What `kinto top` shows and how keys change it. A value: it asks nobody and draws nothing.
struct TopModel {
    enum Sort: String, CaseIterable {
        case name, requests, errors, latency, memory

        var next: Sort {
            let all = Sort.allCases
            return all[((all.firstIndex(of: self) ?? 0) + 1) % all.count]
        }
    }

    /// What a key asks of others.
    enum Command: Equatable {
        case none, quit, interrupted, suspend, redraw, closeLog
        case openLog(service: String, environment: String, number: Int)
    }

    /// Where the server is.
    let server: String
    var overview: Overview
    /// Why the overview is not of now.
    var trouble: String?
    private(set) var sort = Sort.name
    private(set) var filter = ""
    private(set) var isTyping = false
    /// `SERVICE/ENVIRONMENT`; nil: the first.
    private(set) var chosen: String?
    /// nil: the services are shown.
    var log: TopLog?

    init(server: String, overview: Overview) {
        self.server = server
        self.overview = overview
    }

    /// As they are shown.
    var places: [Overview.Place] {
        let words = filter.lowercased()
        let fitting = overview.services.filter { place in
            words.isEmpty
                || [place.target, place.state, place.live?.subject ?? ""].contains {
                    $0.lowercased().contains(words)
                }
        }
        func down(_ value: @escaping (Overview.Place) -> Double) -> [Overview.Place] {
            // In the order of names where they are the same.
            fitting.enumerated().sorted {
                (value($1.element), $0.offset) < (value($0.element), $1.offset)
            }.map(\.element)
        }
        return switch sort {
        case .name: fitting
        case .requests: down { $0.requests ?? -1 }
        case .errors: down { $0.errors ?? -1 }
        case .latency: down { $0.p99 ?? -1 }
        case .memory: down { Double($0.memory ?? -1) }
        }
    }

    func index(in places: [Overview.Place]) -> Int {
        chosen.flatMap { chosen in places.firstIndex { $0.target == chosen } } ?? 0
    }

    /// - Parameter page: how many lines a page has.
    mutating func press(_ key: TopKey, page: Int) -> Command {
        switch key {
        case .interrupt: return .interrupted
        case .suspend: return .suspend
        case .redraw: return .redraw
        default: break
        }
        if log != nil { return readLog(key, page) }
        if isTyping {
            type(key)
            return .none
        }
        switch key {
        case .character("q"): return .quit
        case .character("s"): sort = sort.next
        case .character("/"): isTyping = true
        case .escape: filter = ""
        case .up, .character("k"): move(-1)
        case .down, .character("j"): move(1)
        case .pageUp: move(-page)
        case .pageDown: move(page)
        case .home, .character("g"): move(-places.count)
        case .end, .character("G"): move(places.count)
        case .enter, .character("l"): return open()
        default: break
        }
        return .none
    }

    private mutating func type(_ key: TopKey) {
        switch key {
        case .enter: isTyping = false
        case .escape: (isTyping, filter) = (false, "")
        case .backspace: _ = filter.popLast()
        case .character(let character): if filter.count < 100 { filter.append(character) }
        default: break
        }
    }

    private mutating func move(_ steps: Int) {
        let places = places
        guard !places.isEmpty else { return }
        chosen = places[min(max(0, index(in: places) + steps), places.count - 1)].target
    }

    private mutating func open() -> Command {
        let places = places
        guard let place = places.dropFirst(index(in: places)).first, let last = place.last else {
            return .none
        }
        chosen = place.target
        return .openLog(service: place.service, environment: place.environment, number: last.number)
    }

    private mutating func readLog(_ key: TopKey, _ page: Int) -> Command {
        switch key {
        case .character("q"), .escape, .backspace, .character("l"):
            log = nil
            return .closeLog
        case .up, .character("k"): log?.scroll(1, page)
        case .down, .character("j"): log?.scroll(-1, page)
        case .pageUp: log?.scroll(page, page)
        case .pageDown: log?.scroll(-page, page)
        case .home, .character("g"): log?.scroll(TopLog.most, page)
        case .end, .character("G"): log?.scroll(-TopLog.most, page)
        default: break
        }
        return .none
    }
}
