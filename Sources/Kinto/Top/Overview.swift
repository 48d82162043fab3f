// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore

/// What `GET /overview` answers, as far as it is shown.
struct Overview: Decodable, Sendable {
    struct Proxy: Decodable, Sendable {
        let answers: Bool
        let name: String?
    }
    struct Storage: Decodable, Sendable {
        let home: Int64
        let free: Double
    }
    struct Known: Decodable, Sendable {
        let number: Int
        let status: Release.Status
        let commit: String?
        let subject: String
    }
    struct Running: Decodable, Sendable {
        let type: String
        let instances, running, restarts: Int
    }
    struct Place: Decodable, Sendable {
        let service, environment, state: String
        let live, last: Known?
        let site: Bool?
        let processes: [Running]
        let memory: Int64?
        let requests, errors, p99: Double?
        let deploysStopped: String?

        var target: String { "\(service)/\(environment)" }
    }
    struct Arrival: Decodable, Sendable {
        let service, environment: String
        let number: Int
        let status: Release.Status
        let stage, commit: String?
        let subject, on: String
        let elapsed: Double
        let stageElapsed, stageUsual, usual: Double?
    }

    let version: String
    let proxy: Proxy
    let storage: Storage?
    var releases: [Arrival]
    var services: [Place]

    init(_ answer: [UInt8]) throws { self = try JSONDecoder().decode(Overview.self, from: Data(answer)) }

    /// - Parameter environment: nil: all.
    func only(_ environment: String?) -> Overview {
        guard let environment else { return self }
        var part = self
        part.releases.removeAll { $0.environment != environment }
        part.services.removeAll { $0.environment != environment }
        return part
    }
}
