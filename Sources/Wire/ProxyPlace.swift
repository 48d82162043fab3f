// SPDX-License-Identifier: Apache-2.0
internal import Glibc

/// Where one proxy process and its successors by restart live: a directory with the control socket and the supervisor's
/// state. Its neighbours are the places of proxies that are coming or going, and a symbolic link beside them, `current`,
/// names the one that serves: one rename(2) of it hands over address, control socket and state at once, and after a crash
/// of anybody it says who goes on.
public struct ProxyPlace: Sendable, Hashable {
    /// Absolute.
    public let directory: String

    public init(_ directory: String) { self.directory = directory }

    public var socket: String { "\(directory)/proxy.sock" }
    public var state: String { "\(directory)/proxy.state" }
    /// The one that serves, named in the directory of the places; nil when none ever did.
    public static func current(in parent: String) -> ProxyPlace? {
        var buffer = [CChar](repeating: 0, count: 256)
        let count = readlink("\(parent)/\(link)", &buffer, buffer.count)
        guard count > 0, count < buffer.count else { return nil }
        let name = String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
        return ProxyPlace("\(parent)/\(name)")
    }

    /// All places of a directory, in no order.
    public static func all(in parent: String) -> [ProxyPlace] {
        let names = (try? Files.list(parent)) ?? []
        return names.compactMap { name in UInt64(name).map { _ in ProxyPlace("\(parent)/\(name)") } }
    }

    /// A new one, numbered after those that are there.
    public static func make(in parent: String) throws(SystemError) -> ProxyPlace {
        let last = all(in: parent).compactMap(\.number).max() ?? 0
        guard last < .max else { throw SystemError("mkdir", parent, code: EOVERFLOW) }
        let place = ProxyPlace("\(parent)/\(last + 1)")
        try check("mkdir", place.directory) { mkdir(place.directory, 0o700) }
        return place
    }

    /// The directory of the places.
    public var parent: String { Files.parent(of: directory) }
    public var isCurrent: Bool { ProxyPlace.current(in: parent) == self }
    /// The other places.
    public var others: [ProxyPlace] { ProxyPlace.all(in: parent).filter { $0 != self } }
    /// Counted up from one directory to the next.
    public var number: UInt64? {
        directory.utf8.lastIndex(of: 0x2F).flatMap { UInt64(directory[$0...].dropFirst()) }
    }

    /// Names this place as the one that serves, in one step.
    public func makeCurrent() throws(SystemError) {
        let temporary = "\(parent)/\(ProxyPlace.link).new-\(getpid())"
        let name = String(directory.dropFirst(parent.count + 1))
        unlink(temporary)
        try check("symlink", temporary) { symlink(name, temporary) }
        try check("rename", "\(parent)/\(ProxyPlace.link)") {
            rename(temporary, "\(parent)/\(ProxyPlace.link)")
        }
    }

    /// The exit status of a proxy that has a successor, or never became one: it is not started again.
    public static let finalStatus: Int32 = 10
    /// The name of the link.
    public static let link = "current"
}
