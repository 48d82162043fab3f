// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import Wire

/// A user of this machine (passwd(5)).
public struct SystemUser: Sendable, Equatable {
    public let name: String
    public let identity: Confinement.User
    /// Its home directory; nil: it has none of its own.
    public let home: String?

    /// nil when there is no such user.
    public init?(named name: String) {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        guard getpwnam_r(name, &entry, &buffer, buffer.count, &found) == 0, found != nil else { return nil }
        self.name = name
        identity = Confinement.User(user: entry.pw_uid, group: entry.pw_gid)
        let directory = entry.pw_dir.map { String(cString: $0) } ?? ""
        // Many users of the system have been given a directory of somebody else's.
        var status = stat()
        let isOwn =
            stat(directory, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
            && status.st_uid == entry.pw_uid
        home = isOwn ? directory : nil
    }

    /// The name of the account with this number; the number itself when it has none.
    public static func name(of user: UInt32) -> String {
        var entry = passwd()
        var found: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 16 << 10)
        guard getpwuid_r(user, &entry, &buffer, buffer.count, &found) == 0, found != nil,
            let name = entry.pw_name
        else { return "\(user)" }
        return String(cString: name)
    }

    /// An environment with this user in the place of the server's.
    /// - Parameters:
    ///   - environment: `NAME=value` entries.
    ///   - home: where the user has no home directory.
    public func adapt(_ environment: [String], home fallback: String) -> [String] {
        let inherited = getenv("HOME").map { "HOME=\(String(cString: $0))" }
        var result = environment
        // One that was set for the command stays.
        if let index = result.firstIndex(where: { $0 == inherited }) { result.remove(at: index) }
        func add(_ variable: String, _ value: String) {
            if !result.contains(where: { $0.hasPrefix("\(variable)=") }) {
                result.append("\(variable)=\(value)")
            }
        }
        add("HOME", home ?? fallback)
        add("USER", name)
        add("LOGNAME", name)
        return result
    }
}
