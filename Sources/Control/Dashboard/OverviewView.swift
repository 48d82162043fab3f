// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// An environment of a service in the words and paths of the pages.
struct OverviewView {
    let place: Actions.Overview

    private var state: (word: String, tone: String) {
        switch place.state {
        case .deploying: ("Deploying", "busy")
        case .queued: ("Queued", "busy")
        case .suspended: ("Suspended", "")
        case .paused: ("Paused", "busy")
        case .maintenance: ("Maintenance", "busy")
        case .live: ("Live", "ok")
        case .none: ("Not deployed", "")
        }
    }

    var values: [String: Any] {
        let environment = place.environment
        let target = environment.target
        return [
            "name": "\(target.service)", "environment": "\(target.environment)",
            "production": target.environment == .production,
            "path": ReleaseView.path(target), "promote": "\(ReleaseView.path(target))/promote",
            "root": PlaceView.path(target.service),
            "state": state.word, "tone": state.tone, "url": place.url ?? false as Any,
            "branch": environment.branch,
            "pattern": environment.pattern.words,
            "preview": environment.previewUntil?.rfc3339 ?? false as Any,
            "protected": environment.isProtected, "byHand": !environment.autoDeploy,
            "stopped": environment.deploysStopped ?? false as Any,
            "live": place.live.map { ReleaseView(release: $0).values } ?? false as Any,
            "last": place.last.map { ReleaseView(release: $0).values } ?? false as Any,
            "waits": place.waits.map(\.on), "hasWaits": !place.waits.isEmpty,
        ]
    }
}
