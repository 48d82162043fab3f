// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import Synchronization
internal import Wire

/// The directory that the certificates are read from: in it a folder for each, or a link to one, with `fullchain.pem` and
/// `privkey.pem`, the names that ACME clients give them. What changes is read by itself; connections go on as they are,
/// and new ones get what is new.
final class CertificateFolder: Sendable {
    static let chain = "fullchain.pem"
    static let key = "privkey.pem"

    let context: TLSContext
    private let path: String
    private let settings: ProxyOptions.Secure
    private let mailboxes: [Worker.Mailbox]
    /// Held while they are read.
    private let current = Mutex(Certificates())

    init(
        _ path: String, context: TLSContext, _ settings: ProxyOptions.Secure, _ mailboxes: [Worker.Mailbox]
    ) {
        self.path = path
        self.context = context
        self.settings = settings
        self.mailboxes = mailboxes
    }

    /// Reads them and puts them in force. One that cannot be used leaves the one before it in force: while an ACME client
    /// writes, the key may not belong to the certificate for a moment.
    func read() -> [ServedCertificate] {
        current.withLock { current in
            var served: [ServedCertificate] = []
            var byFolder: [String: Certificate] = [:]
            for name in folders {
                var entry = ServedCertificate(name: name)
                do {
                    byFolder[name] = try Certificate(
                        chain: Files.read("\(path)/\(name)/\(Self.chain)", limit: 1 << 20),
                        key: Files.read("\(path)/\(name)/\(Self.key)", limit: 1 << 20))
                } catch {
                    entry.problem = (error as? Certificate.Unusable)?.reason ?? "\(error)"
                    byFolder[name] = current.byFolder[name]
                }
                entry.hosts = byFolder[name]?.names ?? []
                entry.ends = byFolder[name]?.ends
                served.append(entry)
            }
            for entry in served where !current.served.contains(entry) {
                ProxyMain.say(
                    "certificate \(entry.name): "
                        + (entry.problem ?? "in force for \(entry.hosts.joined(separator: ", "))"))
            }
            current = Certificates(served: served, byFolder: byFolder)
            let settings = TLSSettings(
                context: context, certificates: current, port: settings.listen.port,
                redirects: settings.redirects, challenges: settings.challenges)
            for mailbox in mailboxes { mailbox.post { $0.tls = settings } }
            return served
        }
    }

    private var folders: [String] {
        ((try? Files.list(path)) ?? []).filter { !$0.hasPrefix(".") && Files.isDirectory("\(path)/\($0)") }
            .sorted()
    }

    /// Reads them again whenever something changes, on a thread of its own, for as long as the process lives.
    func watch() {
        Thread.start { [self] in
            var before = state
            let raw = kinto_inotify()
            while true {
                // Asked for each time: what is there and what links lead to may have changed. The time is for file systems
                // that report nothing.
                if raw >= 0 {
                    for directory in directories { inotify_add_watch(raw, directory, Self.changes) }
                }
                if state == before {
                    var poller = pollfd(fd: raw, events: Int16(POLLIN), revents: 0)
                    poll(&poller, raw >= 0 ? 1 : 0, 60_000)
                    var buffer = [UInt8](repeating: 0, count: 4096)
                    while raw >= 0, Glibc.read(raw, &buffer, buffer.count) > 0 {}
                }
                let now = state
                guard now != before else { continue }
                before = now
                _ = read()
            }
        }
    }

    private static let changes =
        UInt32(IN_CREATE) | UInt32(IN_MOVED_TO) | UInt32(IN_CLOSE_WRITE) | UInt32(IN_DELETE)
        | UInt32(IN_MOVED_FROM)

    private var files: [String] {
        folders.flatMap { ["\(path)/\($0)/\(Self.chain)", "\(path)/\($0)/\(Self.key)"] }
    }

    /// Everything in which a change may show: also what links lead to.
    private var directories: Set<String> {
        var found: Set<String> = [path]
        for file in files {
            found.insert(Files.parent(of: file))
            if let real = realpath(file, nil) {
                found.insert(Files.parent(of: String(cString: real)))
                free(real)
            }
        }
        return found
    }

    private struct FileState: Equatable {
        let path: String
        let device: UInt
        let inode: UInt
        let size: Int
        let seconds: Int
        let nanoseconds: Int
    }

    /// By which a change is seen.
    private var state: [FileState] {
        files.map { file in
            var facts = stat()
            guard stat(file, &facts) == 0 else {
                return FileState(path: file, device: 0, inode: 0, size: 0, seconds: 0, nanoseconds: 0)
            }
            return FileState(
                path: file, device: facts.st_dev, inode: facts.st_ino, size: facts.st_size,
                seconds: facts.st_mtim.tv_sec, nanoseconds: facts.st_mtim.tv_nsec)
        }
    }
}
