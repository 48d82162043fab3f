// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Where visitors find services.
struct ServicePlace: Sendable {
    /// The port of URLs.
    let port: Int
    /// Below which every environment has a name, beside `.localhost`; nil: none.
    let domain: String?

    /// - Parameter own: a stable port of the service's.
    func url(_ target: Target, own: UInt16? = nil) -> String {
        if let own { return "http://127.0.0.1:\(own)/" }
        let host = domain.map { "\(target.label).\($0)" } ?? target.ownHost
        return "http://\(host)\(port == 80 ? "" : ":\(port)")/"
    }
}
