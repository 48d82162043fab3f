// SPDX-License-Identifier: Apache-2.0
internal import Hummingbird
internal import KintoCore

/// The release that a deploy made, or the one that makes it needless.
struct DeployAnswer: Encodable {
    let release: Release
    let alreadyLive: Bool

    private enum Key: String, CodingKey { case alreadyLive }

    /// - Throws: `duplicate-trigger`, which a deploy by hand does not meet.
    static func of(_ taken: Taken) throws -> Response {
        switch taken {
        case .release(let release, _): try DeployAnswer(release: release, alreadyLive: false).json(.accepted)
        case .live(let release): try DeployAnswer(release: release, alreadyLive: true).json()
        case .duplicate: throw Failure(code: "duplicate-trigger", "this trigger was accepted before")
        }
    }

    func encode(to encoder: any Encoder) throws {
        try ReleaseJSON(release: release).encode(to: encoder)
        var values = encoder.container(keyedBy: Key.self)
        try values.encode(alreadyLive, forKey: .alreadyLive)
    }
}
