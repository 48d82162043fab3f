// SPDX-License-Identifier: Apache-2.0
public import Wire

extension Release {
    /// How many releases before one are looked at.
    public static let earlierFiles = 50
    private static let mostEarlier = 16

    /// What the proxy answers with itself while this release is live.
    /// - Parameter history: of its target; at least the newest `earlierFiles`.
    public func files(_ history: [Release], in home: Home, now: Timestamp) -> StaticFiles? {
        guard let manifest, let index = index(in: home) else { return nil }
        var seen: Set<String> = [index]
        let earlier = earlierFiles(history, now: now).compactMap { release, until -> StaticFiles.Earlier? in
            guard let index = release.index(in: home), seen.insert(index).inserted else { return nil }
            return StaticFiles.Earlier(index: index, until: until.milliseconds)
        }
        return StaticFiles(
            index: index, isSite: manifest.static != nil,
            fallback: manifest.static?.fallback.map { "/\($0)" },
            earlier: Array(earlier.prefix(Release.mostEarlier)))
    }

    /// Releases before this one whose files still answer, newest first, and until when.
    public func earlierFiles(_ history: [Release], now: Timestamp) -> [(release: Release, until: Timestamp)] {
        guard let kept = manifest?.filesKept, kept.milliseconds > 0 else { return [] }
        let served = history.filter { $0.liveAt != nil && $0.id != id }.sorted {
            ($0.liveAt?.milliseconds ?? 0, $0.number) < ($1.liveAt?.milliseconds ?? 0, $1.number)
        }
        var found: [(Release, Timestamp)] = []
        for (place, release) in served.enumerated() {
            // Until the next one was live.
            let end = place + 1 < served.count ? served[place + 1].liveAt : liveAt
            let until = Timestamp(
                milliseconds: (end ?? now).milliseconds &+ Int64(kept.milliseconds))
            if until > now { found.append((release, until)) }
        }
        return found.reversed()
    }

    private func index(in home: Home) -> String? {
        guard let artifact, artifact.available, let source = manifest?.siteSource else { return nil }
        return "\(home.artifacts)/\(artifact.identifier)/\(source.folder)/index"
    }
}
