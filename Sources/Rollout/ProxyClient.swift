// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc
internal import KintoCore
internal import Wire

/// Speaks to the proxy: one connection for each request, with a deadline.
struct ProxyClient: Sendable {
    let socket: String

    /// - Parameter patience: how long the answer may take, in milliseconds.
    func ask(_ request: ProxyRequest, patience: Int = 10_000) async throws -> ProxyReply {
        let socket = socket
        return try await Blocking.run {
            let connection = try UnixSocket.connect(socket)
            var time = timeval(tv_sec: patience / 1000, tv_usec: patience % 1000 * 1000)
            setsockopt(connection.raw, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
            try Frame.write(request.fields, to: connection)
            guard let fields = try Frame.read(from: connection) else {
                throw SystemError("read", socket, code: ECONNRESET)
            }
            return try ProxyReply(fields)
        }
    }
}
