// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// The head that the pages of one environment share: where one is, and where else one can go.
struct PlaceView {
    enum Tab: String, CaseIterable {
        case overview = "Overview"
        case configuration = "Configuration"
        case settings = "Settings"

        var path: String {
            switch self {
            case .overview: ""
            case .configuration: "/config"
            case .settings: "/settings"
            }
        }
    }

    let target: Target
    /// Of the service.
    let environments: [RegisteredEnvironment]
    /// nil: a page below none of them.
    let tab: Tab?

    /// The page of a service with all its environments.
    static func path(_ service: ServiceName) -> String { "/services/\(service)" }

    var values: [String: Any] {
        let place = ReleaseView.path(target)
        return [
            "service": "\(target.service)", "environment": "\(target.environment)", "path": place,
            "root": PlaceView.path(target.service),
            "environments": environments.map { environment -> [String: Any] in
                [
                    "environment": "\(environment.target.environment)",
                    // The same page of the other one.
                    "path": ReleaseView.path(environment.target) + (tab?.path ?? ""),
                    "current": environment.target == target,
                ]
            },
            "tabs": Tab.allCases.map { tab -> [String: Any] in
                ["label": tab.rawValue, "path": place + tab.path, "current": tab == self.tab]
            },
        ]
    }
}

extension Dashboard {
    /// The place that a visitor asks for, with what its pages have in common.
    /// - Throws: `Failure` of code `unknown-service`.
    func place(_ visit: Visit, _ tab: PlaceView.Tab?) async throws -> (RegisteredEnvironment, [String: Any]) {
        let target = try visit.target()
        let environments = try await actions.store.environments(of: target.service)
        guard let environment = environments.first(where: { $0.target == target }) else {
            try await actions.require(target)
            throw Failure(code: "unknown-service", "there is no environment '\(target)'")
        }
        let view = PlaceView(target: target, environments: environments, tab: tab)
        return (environment, ["place": view.values, "path": ReleaseView.path(target)])
    }
}
