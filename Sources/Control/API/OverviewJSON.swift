// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// The whole server at one glance, for who looks again and again: what runs, what it takes and serves, and what is on its way.
struct OverviewJSON: Encodable {
    struct Proxy: Encodable {
        let answers: Bool
        /// `kinto 0.1.0`, `nginx 1.22.1`; nil: it does not answer.
        let name: String?
    }

    let version: String
    let at: String
    let proxy: Proxy
    /// As of the last look; nil before the first.
    let storage: StorageSizes?
    /// Over how many seconds requests were counted; nil: they are not.
    let counted: Double?
    /// Those that wait or are on their way, in the order of acceptance.
    let releases: [Arrival]
    let services: [Place]

    /// An environment of a service.
    struct Place: Encodable {
        let service, environment, state: String
        let url: String?
        let live, last: Known?
        /// What is live is a site of files, for which nothing has to run.
        let site: Bool
        /// Of what is live, in its order.
        let processes: [Running]
        /// Bytes of all of them; nil: none runs.
        let memory: Int64?
        /// A second; nil: they are not counted.
        let requests, errors: Double?
        /// Milliseconds to the head of the answer; nil: no answer came.
        let p50, p99: Double?
        /// Why pushes are not deployed any more.
        let deploysStopped: String?
    }

    /// A release as far as a line has room for it.
    struct Known: Encodable {
        let number: Int
        let status: Release.Status
        let commit: CommitID?
        let subject: String
        let liveAt: String?

        init(_ release: Release) {
            number = release.number
            status = release.status
            commit = release.commit
            subject = release.subject
            liveAt = release.liveAt?.rfc3339
        }
    }

    /// Instances of a process type.
    struct Running: Encodable, Sendable {
        let type: String
        let instances: Int
        /// Of these, those whose command runs now.
        var running: Int
        /// Since the release started them.
        var restarts: Int
        /// Bytes.
        var memory: Int64
    }

    /// A release that is not over.
    struct Arrival: Encodable {
        let service, environment: String
        let number: Int
        let status: Release.Status
        let stage: Stage?
        let commit: CommitID?
        let subject: String
        /// What it waits for or does, in words.
        let on: String
        /// Milliseconds since it began, or since it was accepted, by the server's clock.
        let elapsed: Int64
        /// Milliseconds of the stage.
        let stageElapsed: Int64?
        /// What is usual, in milliseconds: of the stage, and of all from the beginning on; nil: there is no history.
        let stageUsual, usual: Double?
    }
}

extension OverviewJSON.Running {
    /// - Parameter instances: of a live release. Looks at their state files and at /proc: blocks.
    static func of(_ instances: [Instance]) -> [Self] {
        var order: [String] = []
        let types = Dictionary(grouping: instances, by: \.type)
        for instance in instances where !order.contains(instance.type) { order.append(instance.type) }
        return order.map { type in
            let all = types[type] ?? []
            var sum = Self(type: type, instances: all.count, running: 0, restarts: 0, memory: 0)
            for instance in all {
                let state = try? SupervisorState.read(instance.statePath)
                sum.restarts += state?.restarts ?? instance.restarts
                guard let memory = FactsView.memory(instance) else { continue }
                sum.running += state?.phase == .running ? 1 : 0
                sum.memory += memory
            }
            return sum
        }
    }
}
