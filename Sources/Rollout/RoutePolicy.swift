// SPDX-License-Identifier: Apache-2.0
internal import Glibc
public import KintoCore
public import Wire

/// What an operator asked for the requests of one target, whatever release serves it.
public struct RoutePolicy: Sendable, Equatable {
    /// How long requests wait while no instance takes them: an application's start, with room.
    public static let hold = chosen ?? TimeSpan.seconds(10)
    /// How long they wait in a pause, or while a release is stopped before the next one starts.
    public static let longHold = chosen ?? TimeSpan.seconds(30)

    /// `KINTO_HOLD=2m`, of both: for tests, in debug builds only.
    private static let chosen: TimeSpan? = {
        #if DEBUG
            return getenv("KINTO_HOLD").flatMap { TimeSpan(String(cString: $0)) }
        #else
            return nil
        #endif
    }()

    public var paused: Bool
    public var maintenance: Maintenance?

    public init(paused: Bool = false, maintenance: Maintenance? = nil) {
        self.paused = paused
        self.maintenance = maintenance
    }

    public init(_ environment: RegisteredEnvironment) {
        self.init(paused: environment.paused, maintenance: environment.maintenance)
    }

    /// A route without an upstream keeps its own time: nothing may be coming.
    func apply(to route: inout RoutingTable.Route) {
        route.paused = paused
        route.maintenance = maintenance
        if paused {
            route.hold = RoutePolicy.longHold.milliseconds
        } else if route.upstream != nil {
            route.hold = RoutePolicy.hold.milliseconds
        }
    }
}
