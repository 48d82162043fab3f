// SPDX-License-Identifier: Apache-2.0
internal import CLinux
internal import Glibc

extension UnixSocket {
    /// How long a read or a write may wait, in milliseconds; then it fails with EAGAIN.
    public static func setPatience(_ milliseconds: Int, of connection: Descriptor) {
        let milliseconds = max(1, milliseconds)
        var time = timeval(tv_sec: milliseconds / 1000, tv_usec: milliseconds % 1000 * 1000)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(connection.raw, SOL_SOCKET, option, &time, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    /// Hands a descriptor to the other end, which has one of its own for the same open file then (SCM_RIGHTS).
    public static func send(_ descriptor: Descriptor, over connection: Descriptor) throws(SystemError) {
        try check("sendmsg") { kinto_send_descriptor(connection.raw, descriptor.raw) }
    }

    /// Takes a descriptor that the other end handed over, close-on-exec.
    public static func receive(from connection: Descriptor) throws(SystemError) -> Descriptor {
        Descriptor(owning: try check("recvmsg") { kinto_receive_descriptor(connection.raw) })
    }
}
