// SPDX-License-Identifier: Apache-2.0
internal import Foundation

/// What of a release's settings is not as it was in the last good one: names only, never values.
public enum SettingsChange {
    private static let most = 8

    /// One line for a failed release's evidence; nil when nothing changed or there is nothing to compare with.
    public static func line(_ release: Release, in store: Store) async -> String? {
        guard let failed = try? await store.release(release.target, release.number),
            let good = try? await store.live(release.target)
        else { return nil }
        return line(from: good, to: failed)
    }

    public static func line(from good: Release, to failed: Release) -> String? {
        guard good.id != failed.id, let manifest = failed.manifest, let before = good.manifest else {
            return nil
        }
        var changes = names(flat(before), flat(manifest), prefix: "")
        changes += names(good.config ?? [:], failed.config ?? [:], prefix: "config ")
        guard !changes.isEmpty else { return nil }
        let more = changes.count > most ? " and \(changes.count - most) more" : ""
        return
            "changed since release \(good.number), the last good one: \(changes.prefix(most).joined(separator: ", "))\(more)"
    }

    /// The keys of kinto.json that differ, with a dot between levels, each after `+`, `-` or `~`: names only.
    public static func marks(from old: Manifest, to new: Manifest) -> [String] {
        marks(from: flat(old), to: flat(new))
    }

    /// Names that differ, each after `+`, `-` or `~`, sorted by name.
    public static func marks(from old: [String: String], to new: [String: String]) -> [String] {
        Set(old.keys).union(new.keys).sorted().compactMap { key in
            switch (old[key], new[key]) {
            case (nil, .some): "+ \(key)"
            case (.some, nil): "- \(key)"
            case (let a, let b) where a != b: "~ \(key)"
            default: nil
            }
        }
    }

    private static func names(_ old: [String: String], _ new: [String: String], prefix: String) -> [String] {
        Set(old.keys).union(new.keys).sorted().compactMap { key in
            switch (old[key], new[key]) {
            case (let before, let after) where before == after: nil
            case (nil, _): "\(prefix)\(key) (new)"
            case (_, nil): "\(prefix)\(key) (removed)"
            default: "\(prefix)\(key)"
            }
        }
    }

    /// The keys of kinto.json with a dot between levels, each with its value as text.
    private static func flat(_ manifest: Manifest) -> [String: String] {
        guard let data = try? JSONEncoder().encode(manifest),
            let object = try? JSONSerialization.jsonObject(with: data) as? [String: Any]
        else { return [:] }
        var out: [String: String] = [:]
        func add(_ value: Any, _ path: String) {
            if let object = value as? [String: Any] {
                for (key, value) in object {
                    // How a ``TimeSpan`` is stored, and what `overlap` means where there is a schedule.
                    let name = key == "runOverlap" ? "overlap" : key
                    add(value, path.isEmpty ? key : key == "milliseconds" ? path : "\(path).\(name)")
                }
            } else {
                // A list may hold objects, whose keys have no order of their own.
                let text = try? JSONSerialization.data(
                    withJSONObject: value, options: [.sortedKeys, .fragmentsAllowed])
                out[path] = text.map { String(decoding: $0, as: UTF8.self) } ?? "\(value)"
            }
        }
        add(object, "")
        // What is said of the file, not what it says.
        return out.filter { $0.key != "unsupported" && $0.key != "overridden" }
    }
}
