// SPDX-License-Identifier: Apache-2.0
internal import Foundation
internal import KintoCore

/// One release for people, with what its stages took and what is usual.
struct ReleaseDetail {
    let release: [String: Any]

    private func text(_ key: String) -> String { Output.safe(release[key] as? String ?? "") }

    func show() {
        Output.table(ReleaseView.rows([release]))
        let (timings, usual) = (
            release["timings"] as? [String: Double] ?? [:], release["usual"] as? [String: Double] ?? [:]
        )
        for stage in ["queue"] + Stage.allCases.map(\.rawValue) {
            guard let time = timings[stage] else { continue }
            let typical = usual[stage]
            let isSlow = typical.map { StageTimes.isSlow(time, usual: $0) } == true
            Output.line(
                "\(isSlow ? " !     " : "       ")\(stage.padding(toLength: 6, withPad: " ", startingAt: 0)) \(StageTimes.words(time))"
                    + (typical.map { ", usually \(StageTimes.words($0))" } ?? ""))
        }
        if let swap = release["swap"] as? [String: Any] {
            func count(_ key: String) -> Int { swap[key] as? Int ?? 0 }
            Output.line(
                "       Swap: \(count("requests")) requests, \(count("failed")) failed, \(count("delayed")) delayed, \(count("cut")) cut"
            )
        }
        for warning in release["warnings"] as? [[String: Any]] ?? [] { WarningView.show(warning) }
        if let failure = release["failure"] as? [String: Any] {
            let code = Output.safe(failure["code"] as? String ?? "")
            Output.line(
                " !     \(Output.safe(failure["message"] as? String ?? "")) (\(code)); kinto why \(text("service")) \(release["number"] as? Int ?? 0) says more"
            )
        }
    }
}
