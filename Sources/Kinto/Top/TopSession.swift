// SPDX-License-Identifier: Apache-2.0
internal import ArgumentParser
internal import Foundation
internal import Glibc
internal import KintoCore
internal import Synchronization

/// `kinto top` on a terminal: one request for all that is shown, when something changed and every few seconds, and never more than
/// one a second.
struct TopSession {
    let client: ControlClient
    /// nil: all.
    let environment: String?
    let every: Duration

    private static let rest = Duration.seconds(1)

    private enum News: Sendable {
        case keys([UInt8])
        case inputEnded
        case resized
        case seen(Overview)
        case refused(ControlClient.Refusal)
        /// The log that is shown grew, or is over.
        case logged
    }

    static func look(_ client: ControlClient, _ environment: String?) async throws -> Overview {
        let answer = try await client.ask("GET", "/overview", timeout: 20_000)
        return try Overview(answer).only(environment)
    }

    func run() async throws {
        let first: Overview
        do { first = try await TopSession.look(client, environment) } catch let refusal
            as ControlClient.Refusal
        { throw refusal.told() }
        let (news, told) = AsyncStream.makeStream(of: News.self)
        let screen = try FullScreen()
        let sources = await screen.watch { told.yield(.resized) }
        screen.enter()
        let looking = look(told)
        Thread.detachNewThread { TopSession.readKeys(told) }
        let end = await show(TopModel(server: client.place, overview: first), on: screen, news, told)
        looking.forEach { $0.cancel() }
        screen.leave()
        withExtendedLifetime(sources) {}
        if let end { throw end }
    }

    // MARK: The server

    private func look(_ told: AsyncStream<News>.Continuation) -> [Task<Void, Never>] {
        let (wakes, wake) = AsyncStream.makeStream(of: Void.self, bufferingPolicy: .bufferingNewest(1))
        let (client, environment, every) = (client, environment, every)
        let asking = Task {
            for await _ in wakes {
                do { told.yield(.seen(try await TopSession.look(client, environment))) } catch let refusal
                    as ControlClient.Refusal
                { told.yield(.refused(refusal)) } catch {
                    told.yield(
                        .refused(.init(lines: ["the server's answer is not understood: \(error)"], code: 3)))
                }
                // What changes meanwhile is seen by the next look.
                try? await Task.sleep(for: TopSession.rest)
            }
        }
        let ticking = Task { while (try? await Task.sleep(for: every)) != nil { wake.yield() } }
        let listening = Task {
            // A stream that breaks tells nothing; the next one begins with an event.
            repeat {
                _ = try? await client.follow("/events") { bytes in
                    if bytes.first != UInt8(ascii: ":") { wake.yield() }
                }
            } while (try? await Task.sleep(for: .seconds(2))) != nil
        }
        return [asking, ticking, listening]
    }

    private static func readKeys(_ told: AsyncStream<News>.Continuation) {
        var buffer = [UInt8](repeating: 0, count: 1024)
        while true {
            let count = read(0, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { break }
            told.yield(.keys(Array(buffer[..<count])))
        }
        told.yield(.inputEnded)
    }

    private func follow(
        _ path: String, _ text: TopLog.Text, _ told: AsyncStream<News>.Continuation
    ) -> Task<Void, Never> {
        let client = client
        return Task {
            do {
                let status = try await client.follow(path) { bytes in
                    if text.add(bytes) { told.yield(.logged) }
                }
                text.finish(status == 200 ? "its end" : "the server answered \(status)")
            } catch { text.finish("the connection broke") }
            told.yield(.logged)
        }
    }

    // MARK: The screen

    /// - Returns: the exit code, if it is not 0.
    private func show(
        _ first: TopModel, on screen: FullScreen, _ news: AsyncStream<News>,
        _ told: AsyncStream<News>.Continuation
    ) async -> (any Error)? {
        let hasColours = (ProcessInfo.processInfo.environment["NO_COLOR"] ?? "").isEmpty
        var model = first
        var following: Task<Void, Never>?
        defer { following?.cancel() }
        func draw(anew: Bool = false) {
            let (columns, rows) = FullScreen.size
            screen.draw(
                TopPicture(model: model).drawn(columns: columns, rows: rows, hasColours: hasColours),
                anew: anew)
        }
        draw(anew: true)
        for await next in news {
            var anew = false
            switch next {
            case .inputEnded: return ExitCode(128 + SIGHUP)
            case .resized: anew = true
            case .logged: break
            case .seen(let overview): (model.overview, model.trouble) = (overview, nil)
            case .refused(let refusal):
                // Who may not look any more is not to be shown what was there.
                if let status = refusal.status, (400..<500).contains(status), status != 429 {
                    screen.leave()
                    return refusal.told()
                }
                model.trouble = "what is shown is not of now: \(refusal.lines.first ?? "")"
            case .keys(let bytes):
                for key in TopKey.read(bytes) {
                    let page = TopPicture(model: model).page(FullScreen.size.rows)
                    switch model.press(key, page: page) {
                    case .none: break
                    case .quit: return nil
                    case .interrupted: return ExitCode(130)
                    case .redraw: anew = true
                    case .suspend:
                        screen.suspend()
                        anew = true
                    case .closeLog:
                        following?.cancel()
                        anew = true
                    case .openLog(let service, let environment, let number):
                        let log = TopLog(title: "\(service)/\(environment) release \(number)")
                        model.log = log
                        anew = true
                        following = follow(
                            "/services/\(service)/releases/\(number)/log?env=\(environment)&follow=1&times=0&tail=2000",
                            log.text, told)
                    }
                }
            }
            draw(anew: anew)
        }
        return nil
    }
}
