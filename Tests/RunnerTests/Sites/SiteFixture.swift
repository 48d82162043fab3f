// SPDX-License-Identifier: Apache-2.0
import Glibc
import Testing
import Wire

@testable import KintoCore
@testable import Runner

/// A directory that becomes an artifact with a site.
protocol SiteFixture {
    var fixture: GitFixture { get }
    var store: ArtifactStore { get }
}

extension SiteFixture {
    static func make() throws -> (GitFixture, ArtifactStore) {
        let fixture = try GitFixture()
        // A home may have any name.
        return (fixture, try ArtifactStore(root: "\(fixture.root)/héim/artifacts"))
    }

    func write(_ name: String, _ content: String) throws {
        try fixture.write("site/public/\(name)", content)
    }

    func write(_ name: String, _ bytes: [UInt8]) throws {
        try fixture.write("site/public/\(name)", "")
        try Files.replace("\(fixture.root)/site/public/\(name)", with: bytes, mode: 0o644)
    }

    func link(_ name: String, _ target: String) {
        symlink(target, "\(fixture.root)/site/public/\(name)")
    }

    func index(
        _ source: SiteSource = .init(directory: "public", path: "/", isSite: true), fallback: String? = nil,
        id: String = "a"
    ) throws -> SiteOutcome {
        let artifact = try store.store("\(fixture.root)/site", id: id).artifact
        return try index(artifact, source, fallback: fallback)
    }

    func index(_ artifact: Artifact, _ source: SiteSource, fallback: String? = nil) throws -> SiteOutcome {
        let made = try SiteIndexer(artifact: artifact, source: source, cancellation: Cancellation()).make(
            fallback: fallback)
        let directory = "\(store.root)/\(artifact.id)"
        let bytes = try Files.read("\(directory)/\(source.folder)/index")
        return SiteOutcome(
            index: try SiteIndex(Fields(decoding: bytes)), made: try #require(made), directory: directory)
    }

    func code(_ body: () throws -> Void) -> String? {
        do { try body() } catch let failure as Failure { return failure.code } catch { return "\(error)" }
        return nil
    }
}

/// An index as it was made.
struct SiteOutcome {
    var index: SiteIndex
    var made: SiteIndexer.Made
    var directory: String

    /// What stands at a path: `source` or `-> place`.
    subscript(path: String) -> String? {
        switch index.answers[Array(path.utf8)] {
        case .file(let number, _): String(index.files[number].source.dropFirst("tree/public/".count))
        case .moved(let to): "-> \(to)"
        case nil: nil
        }
    }

    func head(_ path: String) -> String {
        guard case .file(_, let head)? = index.answers[Array(path.utf8)] else { return "" }
        return index.heads[head]
    }

    func file(_ path: String) -> SiteIndex.File? {
        guard case .file(let number, _)? = index.answers[Array(path.utf8)] else { return nil }
        return index.files[number]
    }
}
