// SPDX-License-Identifier: Apache-2.0
public import KintoCore
internal import Wire

/// The room that has to be there before a build is started, and as long as it runs: a disk that a build fills hurts everything else on it.
public struct FreeSpaceFloor: Sendable {
    let path: String
    let bytes: UInt64
    let files: UInt64
    /// Gives back what may go; asked once before a build is refused.
    let makeRoom: @Sendable () async -> Void

    public init(
        path: String, settings: RetentionSettings, makeRoom: @escaping @Sendable () async -> Void
    ) {
        self.path = path
        bytes = UInt64(max(0, settings.freeBytes))
        files = UInt64(max(0, settings.freeFiles))
        self.makeRoom = makeRoom
    }

    /// - Throws: `Failure` of code `space-low`.
    func check() async throws {
        guard isLow != nil else { return }
        await makeRoom()
        guard let room = isLow else { return }
        throw Failure(
            stage: .build, code: "space-low",
            "\(path) has \(room.bytes >> 20) MiB and \(room.files) files free; no build is started below "
                + "\(bytes >> 20) MiB and \(files) files",
            hints: FreeSpaceFloor.hints + [
                .init("see what takes it", command: "df -h \(path); df -i \(path)")
            ])
    }

    /// The same, said before; nothing is made room for.
    var warning: Warning? {
        isLow.map { room in
            Warning(
                code: "space-low",
                "\(path) has \(room.bytes >> 20) MiB and \(room.files) files free; no build is started below "
                    + "\(bytes >> 20) MiB and \(files) files, unless room can be made",
                hint: FreeSpaceFloor.hints.first)
        }
    }

    static let hints: [Failure.Hint] = [
        .init("see what kinto can give back", command: "kinto prune --dry-run"),
        .init("or make room on the file system"),
        .init("or set another floor: kinto serve --keep free-bytes=… --keep free-files=…"),
    ]

    /// Has a running command end when it takes the room below the floor.
    func hold(_ confinement: Confinement) -> Confinement {
        var held = confinement
        held.freeBytes = Int(clamping: bytes)
        held.freeFiles = Int(clamping: files)
        return held
    }

    /// nil: there is enough, or it is not known.
    private var isLow: (bytes: UInt64, files: UInt64)? {
        guard let room = Files.room(path), room.bytes < bytes || room.files < files else { return nil }
        return room
    }
}
