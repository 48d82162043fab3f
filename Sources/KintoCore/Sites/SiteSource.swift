// SPDX-License-Identifier: Apache-2.0
internal import Crypto
internal import Wire

/// Which files of an artifact answer requests, and where.
public struct SiteSource: Sendable, Equatable {
    /// Relative to the artifact's tree.
    public var directory: String
    /// The path of the URLs that they stand below: `/` or `/static`.
    public var path: String
    /// Whether they are pages, with all that is usual for them; else only files.
    public var isSite: Bool

    /// Where what is made of them is kept, relative to the artifact's directory: one for each way to see it.
    public var folder: String {
        "site-\(hexadecimal(SHA256.hash(data: Array("\(isSite) \(path) \(directory)".utf8)).prefix(6)))"
    }
}

extension Manifest {
    /// nil: the proxy answers with no files.
    public var siteSource: SiteSource? {
        if let site = self.static { return SiteSource(directory: site.output, path: "/", isSite: true) }
        return assets.map { SiteSource(directory: $0.directory, path: $0.path, isSite: false) }
    }

    /// How long those of the releases before still answer.
    var filesKept: TimeSpan { self.static?.keep ?? assets?.keep ?? .seconds(0) }
}
