// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Wire

/// Triggers that hooks left while the server was down.
public struct Spool: Sendable {
    public struct Entry: Sendable {
        public let path: String
        public let service: ServiceName
        public let push: PushRequest
    }

    let directory: String

    public init(_ home: Home) { directory = home.spool }

    /// In the order they were left. What cannot be read is set aside, never deleted.
    public func entries() -> [Entry] {
        let names = ((try? Files.list(directory)) ?? []).filter { $0.hasSuffix(".trigger") }.sorted()
        return names.compactMap { name in
            let path = "\(directory)/\(name)"
            do {
                let fields = try Fields(decoding: Files.read(path))
                return Entry(
                    path: path, service: try ServiceName(fields["service"] ?? ""),
                    push: try PushRequest(fields))
            } catch {
                setAside(path, name)
                return nil
            }
        }
    }

    /// Removes an entry that is accepted.
    public func done(_ entry: Entry) { unlink(entry.path) }

    private func setAside(_ path: String, _ name: String) {
        try? Files.makeDirectories("\(directory)/bad")
        rename(path, "\(directory)/bad/\(name)")
    }
}
