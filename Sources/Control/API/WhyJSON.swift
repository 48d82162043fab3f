// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// Why a release failed: the failure, and whose it is. Of a release that did not fail only the latter.
struct WhyJSON: Encodable {
    let service, environment: String
    let number: Int
    let status: Release.Status
    let stage: Stage?
    let code, message: String?
    let cause: Failure.Cause?
    let evidence: [String]
    let hints: [Failure.Hint]
    /// Stages that took much longer than is usual, in words.
    let slow: [String]
    /// What was said before its build.
    let warnings: [Warning]

    init(_ release: Release, usual: [String: Double] = [:]) {
        slow = StageTimes.slow(release.timings, usual: usual)
        service = release.target.service.description
        environment = release.target.environment.description
        number = release.number
        status = release.status
        stage = release.failure?.stage
        code = release.failure?.code
        message = release.failure?.message
        cause = release.failure?.cause
        evidence = release.failure?.evidence ?? []
        hints = release.failure?.hints ?? []
        warnings = release.warnings
    }
}
