// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
internal import Wire

/// Triggers that hooks left while the server was down, or did not answer in time. Each is one file, which is there whole or
/// not at all; it is removed when its trigger is accepted, and the trigger's identifier makes it one release however often
/// it is told.
public struct Spool: Sendable {
    public struct Entry: Sendable {
        public let path: String
        public let service: ServiceName
        public let push: PushRequest
        /// Who left it: the owner of its file; nil: not known.
        public let account: String?
    }

    let directory: String

    public init(_ home: Home) { directory = home.spool }

    /// In the order they were left. What cannot be read is set aside, never deleted.
    public func entries() throws -> [Entry] {
        let names = try Files.list(directory).filter { $0.hasSuffix(".trigger") }.sorted()
        return names.compactMap { name in
            let path = "\(directory)/\(name)"
            do {
                let fields = try Fields(decoding: Files.read(path))
                return Entry(
                    path: path, service: try ServiceName(fields["service"] ?? ""),
                    push: try PushRequest(fields), account: owner(of: path))
            } catch let error as SystemError where error.code != EISDIR && error.code != EFBIG {
                // A file that is gone, or that cannot be read now, says nothing about what is in it.
                return nil
            } catch {
                setAside(path, because: "\(error)")
                return nil
            }
        }
    }

    private func owner(of path: String) -> String? {
        var facts = stat()
        return lstat(path, &facts) == 0 ? SystemUser.name(of: facts.st_uid) : nil
    }

    /// How many wait to be taken up.
    public var count: Int {
        ((try? Files.list(directory)) ?? []).count { $0.hasSuffix(".trigger") }
    }

    /// Removes an entry that is accepted.
    public func done(_ entry: Entry) { unlink(entry.path) }

    /// What was set aside, and where it is.
    public var asideDirectory: String { "\(directory)/bad" }
    public var aside: [String] {
        ((try? Files.list(asideDirectory)) ?? []).filter { !$0.hasSuffix(".why") }.sorted()
    }

    /// Keeps an entry that cannot be taken up, with the reason, where it is not tried again.
    public func setAside(_ path: String, because reason: String) {
        try? Files.makeDirectories(asideDirectory)
        let name =
            path.utf8.lastIndex(of: UInt8(ascii: "/")).map { String(path[path.index(after: $0)...]) } ?? path
        // The reason is there first: who finds the entry finds why.
        let why = "\(asideDirectory)/\(name).why"
        try? Files.replace(why, with: Array("\(reason)\n".utf8))
        if rename(path, "\(asideDirectory)/\(name)") != 0 { unlink(why) }
    }
}
