// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Runner
internal import Wire

/// Lets the files of a service follow its new name. Each step may be done already: it is begun again after a crash.
///
/// What runs goes on writing to the paths that it was started with: a link stands where the old directory was. What was
/// pushed to keeps a repository that takes nothing and says where to push now.
struct RenamedFiles: Sendable {
    let home: Home
    let runtime: String
    let old: ServiceName
    /// By its new name.
    let service: RegisteredService
    /// All that it had, `old` among them.
    let former: [ServiceName]

    /// The file by which such a repository is known.
    private static let mark = "kinto-renamed"

    func move() throws {
        try moveDirectory("\(home.path)/services", old.description, service.name.description)
        try Files.removeTree("\(home.path)/work/\(old)")
        try Files.removeTree(home.look(old))
        if service.source != .local {
            try moveRepository(home.repository(old), home.repository(service.name))
        }
        try moveRepository(home.submodules(old), home.submodules(service.name))
        try Files.synchronizeDirectory(home.repositories)
        if service.source != .remote {
            try HookScripts.install(
                in: service.repository, service: service.name, home: home, runtime: runtime)
        }
        guard service.source == .hosted else { return }
        for name in former { try leaveWord(home.repository(name)) }
    }

    /// Why the name cannot be taken: something lies there that no service has.
    static func obstacle(_ home: Home, _ name: ServiceName) -> String? {
        ["\(home.path)/services/\(name)", home.repository(name)].first {
            Files.exists($0) && !isLink($0) && !Files.exists("\($0)/\(mark)")
        }
    }

    /// Takes away what stands where a former name was.
    static func forget(_ home: Home, _ name: ServiceName) throws {
        let place = "\(home.path)/services/\(name)"
        if isLink(place) { unlink(place) }
        if Files.exists("\(home.repository(name))/\(mark)") { try Files.removeTree(home.repository(name)) }
    }

    private static func isLink(_ path: String) -> Bool {
        var status = stat()
        return lstat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFLNK
    }

    /// The directory and the link change places at once: whoever writes finds one of both.
    private func moveDirectory(_ parent: String, _ from: String, _ to: String) throws {
        let (source, target) = ("\(parent)/\(from)", "\(parent)/\(to)")
        guard Files.exists(source), !RenamedFiles.isLink(source) else { return }
        let link = "\(target).link"
        unlink(link)
        try check("symlink", link) { symlink(to, link) }
        try check("rename", target) { rename(link, target) }
        try check("renameat2", target) { kinto_exchange(source, target) }
        try Files.synchronizeDirectory(parent)
    }

    private func moveRepository(_ from: String, _ to: String) throws {
        guard Files.exists(from), !Files.exists("\(from)/\(RenamedFiles.mark)") else { return }
        // The name was this service's before.
        if Files.exists("\(to)/\(RenamedFiles.mark)") { try Files.removeTree(to) }
        try check("rename", to) { rename(from, to) }
    }

    private func leaveWord(_ path: String) throws {
        let new = "\(path).new"
        try Files.removeTree(new)
        try GitRepository.createBare(new)
        let words = """
            #!/bin/sh
            # installed by kinto
            cat >/dev/null
            echo ' !     This service is called \(service.name) now; nothing was deployed. Push to its repository, at'
            echo \(ShellWord.quoted("       " + home.repository(service.name)))
            echo '       git remote set-url REMOTE …, where git remote -v shows this one'
            exit 1

            """
        try Files.makeDirectories("\(new)/hooks", mode: 0o755)
        try Files.replace("\(new)/hooks/pre-receive", with: Array(words.utf8), mode: 0o755)
        try Files.replace("\(new)/\(RenamedFiles.mark)", with: Array("\(service.name)\n".utf8))
        if Files.exists(path) {
            try check("renameat2", path) { kinto_exchange(new, path) }
            try Files.removeTree(new)
        } else {
            try check("rename", path) { rename(new, path) }
        }
    }
}
