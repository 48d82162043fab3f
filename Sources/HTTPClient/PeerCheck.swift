// SPDX-License-Identifier: Apache-2.0
internal import CCurl
internal import Glibc
internal import Synchronization
internal import Wire

/// Looks at the address that a connection is about to be made to, after its name was resolved: what the name leads to is its
/// owner's choice.
final class PeerCheck: Sendable {
    private let found = Mutex<String?>(nil)

    /// Why there is no connection; nil: not because of this.
    var refusal: String? {
        found.withLock { $0 }.map {
            "\($0) is an address of this link or of its cloud: nothing is sent there"
        }
    }

    /// - Parameter curl: a handle; this has to live as long as it.
    func watch(_ curl: UnsafeMutableRawPointer) {
        _ = kinto_curl_set_open_socket(curl, connecting)
        _ = kinto_curl_set_pointer(
            curl, CURLOPT_OPENSOCKETDATA, Unmanaged.passUnretained(self).toOpaque())
    }

    fileprivate func open(_ peer: UnsafeMutablePointer<curl_sockaddr>) -> curl_socket_t {
        let start = UnsafeRawPointer(peer) + (MemoryLayout<curl_sockaddr>.offset(of: \.addr) ?? 0)
        if let address = MetadataAddress.matching(start.assumingMemoryBound(to: sockaddr.self)) {
            found.withLock { $0 = address }
            return CURL_SOCKET_BAD
        }
        return socket(peer.pointee.family, peer.pointee.socktype, peer.pointee.protocol)
    }
}

private func connecting(
    _ context: UnsafeMutableRawPointer?, _: curlsocktype, _ peer: UnsafeMutablePointer<curl_sockaddr>?
) -> curl_socket_t {
    guard let context, let peer else { return CURL_SOCKET_BAD }
    return Unmanaged<PeerCheck>.fromOpaque(context).takeUnretainedValue().open(peer)
}
