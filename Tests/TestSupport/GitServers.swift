// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import Glibc
internal import Synchronization
internal import Wire

/// A program that a test started, ended with it. Not one of Foundation's: those that close what they inherit, as sshd does, look
/// to it as if they had ended, and it waits for them for ever.
public final class Daemon: Sendable {
    private let pid: Mutex<Int32>

    /// - Parameters:
    ///   - log: what it says.
    ///   - isReady: looked at until it is true, or three minutes are over.
    init(_ words: [String], environment: [String] = [], log: String, until isReady: () -> Bool) throws {
        let output = try Descriptor.open(log, O_WRONLY | O_CREAT | O_APPEND)
        let started = try Spawn(
            path: words[0], arguments: words,
            environment: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"] + environment,
            standardOutput: output, standardError: output, newSession: true
        ).start()
        pid = Mutex(started)
        let end = ContinuousClock.now.advanced(by: .seconds(180))
        while !isReady() {
            guard ContinuousClock.now < end else {
                stop()
                throw Trouble(
                    "\(words[0]) does not start: \((try? String(contentsOfFile: log, encoding: .utf8)) ?? "")"
                )
            }
            usleep(5000)
        }
    }

    /// Kills it with what it started, as the workers of nginx stay without their master, and waits for its end.
    public func stop() {
        pid.withLock { pid in
            guard pid > 0 else { return }
            kill(-pid, SIGKILL)
            waitpid(pid, nil, 0)
            pid = 0
        }
    }

    deinit { stop() }

    /// Runs a program to its end.
    @discardableResult
    static func run(_ words: [String], in directory: String) throws -> String {
        let done = try Command.runHere("/usr/bin/env", words, in: directory)
        guard done.status == 0 else {
            throw Trouble("\(words.joined(separator: " ")): \(done.output)")
        }
        return done.output
    }
}

/// A real sshd on loopback with one host key, one user key, and its files in a directory.
public struct SSHServer: Sendable {
    public let port: UInt16
    /// Path of a private key that it lets in.
    public let key: String
    public let user: String
    /// Of its host key.
    public let fingerprint: String
    private let directory: String
    private let daemon: Daemon

    public init(_ directory: String) throws {
        self.directory = directory
        _ = try SSHServer.makeKey("host", directory)
        let publicKey = try SSHServer.makeKey("key", directory)
        key = "\(directory)/key"
        user = try Daemon.run(["id", "-un"], in: directory).trimmingCharacters(in: .whitespacesAndNewlines)
        fingerprint =
            try Daemon.run(["ssh-keygen", "-l", "-f", "host"], in: directory)
            .split(separator: " ").first { $0.hasPrefix("SHA256:") }.map(String.init) ?? "none"
        // sshd as root wants this directory, which an init script makes.
        if geteuid() == 0 {
            try FileManager.default.createDirectory(atPath: "/run/sshd", withIntermediateDirectories: true)
        }
        port = try FreePort.take()
        try """
        ListenAddress 127.0.0.1:\(port)
        HostKey \(directory)/host
        AuthorizedKeysFile \(directory)/authorized_keys
        PidFile none
        StrictModes no
        UsePAM no
        PasswordAuthentication no
        KbdInteractiveAuthentication no
        PermitRootLogin yes
        """.write(toFile: "\(directory)/sshd_config", atomically: true, encoding: .utf8)
        let log = "\(directory)/sshd.log"
        daemon = try Daemon(
            ["/usr/sbin/sshd", "-D", "-e", "-f", "\(directory)/sshd_config"], log: log,
            until: {
                (try? String(contentsOfFile: log, encoding: .utf8))?.contains("Server listening") == true
            })
        try authorize(publicKey)
    }

    /// Lets the owner of a public key in, and nobody else.
    public func authorize(_ publicKey: String) throws {
        let path = "\(directory)/authorized_keys"
        try (publicKey + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        chmod(path, 0o600)
    }

    public func stop() { daemon.stop() }

    /// Makes an ed25519 key pair and gives its public half as `TYPE KEY`.
    public static func makeKey(_ name: String, _ directory: String) throws -> String {
        try Daemon.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", name], in: directory)
        let text = try String(contentsOfFile: "\(directory)/\(name).pub", encoding: .utf8)
        return text.split(whereSeparator: \.isWhitespace).prefix(2).joined(separator: " ")
    }
}

/// nginx on loopback before git's own server for http (git-http-backend(1)), with TLS by an authority of its own, and a token.
public struct HTTPSGitServer: Sendable {
    public let port: UInt16
    /// PEM file of the authority.
    public let authority: String
    public let user = "deploy"
    public let token = "a-token-of-the-test"
    private let daemons: [Daemon]

    /// - Parameters:
    ///   - directory: for its files; short, since a socket lies in it.
    ///   - root: of the repositories.
    public init(_ directory: String, root: String) throws {
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        port = try FreePort.take()
        authority = "\(directory)/ca.pem"
        for words in [
            [
                "openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-keyout", "ca.key", "-out",
                "ca.pem",
                "-subj", "/CN=Authority of the test", "-days", "2",
            ],
            [
                "openssl", "req", "-newkey", "rsa:2048", "-nodes", "-keyout", "host.key", "-out", "host.csr",
                "-subj", "/CN=localhost",
            ],
        ] { try Daemon.run(words, in: directory) }
        try "subjectAltName=DNS:localhost,IP:127.0.0.1\n".write(
            toFile: "\(directory)/names", atomically: true, encoding: .utf8)
        try Daemon.run(
            [
                "openssl", "x509", "-req", "-in", "host.csr", "-CA", "ca.pem", "-CAkey", "ca.key",
                "-CAcreateserial",
                "-out", "host.pem", "-days", "2", "-extfile", "names",
            ], in: directory)
        let password = try Daemon.run(["openssl", "passwd", "-apr1", token], in: directory)
        try "\(user):\(password)".write(toFile: "\(directory)/passwords", atomically: true, encoding: .utf8)
        let socket = "\(directory)/fcgi"
        let backend = try Daemon(
            ["/usr/sbin/fcgiwrap", "-s", "unix:\(socket)"],
            environment: [
                "GIT_CONFIG_COUNT=1", "GIT_CONFIG_KEY_0=safe.directory", "GIT_CONFIG_VALUE_0=*",
            ], log: "\(directory)/fcgi.log", until: { FileManager.default.fileExists(atPath: socket) })
        try """
        daemon off; pid \(directory)/nginx.pid; error_log \(directory)/nginx.err; worker_processes 1;
        \(geteuid() == 0 ? "user root;" : "")
        events { worker_connections 64; }
        http {
            access_log off; client_body_temp_path \(directory)/t1; fastcgi_temp_path \(directory)/t2;
            proxy_temp_path \(directory)/t3; uwsgi_temp_path \(directory)/t4; scgi_temp_path \(directory)/t5;
            server {
                listen 127.0.0.1:\(port) ssl; ssl_certificate \(directory)/host.pem; ssl_certificate_key \(directory)/host.key;
                location /moved/ { return 302 https://elsewhere.invalid:\(port)$request_uri; }
                location / {
                    auth_basic git; auth_basic_user_file \(directory)/passwords;
                    fastcgi_pass unix:\(socket); fastcgi_param SCRIPT_FILENAME /usr/lib/git-core/git-http-backend;
                    fastcgi_param GIT_PROJECT_ROOT \(root); fastcgi_param GIT_HTTP_EXPORT_ALL 1;
                    fastcgi_param PATH_INFO $uri; fastcgi_param REMOTE_USER $remote_user;
                    fastcgi_param QUERY_STRING $query_string; fastcgi_param REQUEST_METHOD $request_method;
                    fastcgi_param CONTENT_TYPE $content_type; fastcgi_param CONTENT_LENGTH $content_length;
                }
            }
        }
        """.write(toFile: "\(directory)/nginx.conf", atomically: true, encoding: .utf8)
        let port = port
        let front = try Daemon(
            ["/usr/sbin/nginx", "-c", "\(directory)/nginx.conf", "-p", directory],
            log: "\(directory)/nginx.log",
            until: { HTTPSGitServer.answers(port) })
        daemons = [front, backend]
    }

    public func stop() { for daemon in daemons { daemon.stop() } }

    private static func answers(_ port: UInt16) -> Bool {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        defer { close(descriptor) }
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = port.bigEndian
        address.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        return withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
            }
        }
    }
}
