// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Synchronization
internal import Wire

/// Places on a release's way at which a test can have the server die, fail or wait, to show that what is recorded by then
/// is enough to go on from: `KINTO_FAULT=job-ended:kill`. Only in debug builds; in a release build each is nothing.
///
/// The form is `POINT:kill`, `POINT:error`, `POINT:delay`, with `=MILLISECONDS` after `delay`, or `POINT:hold=PATH`, which
/// makes a file `PATH.held` and waits for one at the path. `@N` at the end is for the N-th time that the point is reached;
/// several are separated by commas.
public enum Fault: String, Sendable, CaseIterable {
    /// A webhook's or a hook's body was read, nothing is recorded.
    case bodyRead = "body-read"
    /// What a push or a delivery deploys is decided, nothing is recorded.
    case decided
    /// The release is in the queue, nobody was told.
    case queued
    /// Who asked was told.
    case answered
    /// The release is recorded as deploying.
    case claimed
    /// The child that fetches runs, or the commit of a repository on this host was found.
    case fetching
    /// The commit is there and pinned, and not recorded.
    case fetched
    /// The settings were read and are not recorded.
    case settingsRead = "settings-read"
    /// A part of the files is written.
    case checkout
    /// The supervisor of a build or release command runs and waits; it is not recorded.
    case jobStarted = "job-started"
    /// The build or release command runs.
    case jobRunning = "job-running"
    /// Its end was seen and is not recorded.
    case jobEnded = "job-ended"
    /// The artifact is whole, under a temporary name.
    case artifactWritten = "artifact-written"
    /// It has its name, and is not recorded.
    case artifactNamed = "artifact-named"
    /// The supervisor of an instance runs and waits; it is not recorded.
    case instanceStarted = "instance-started"
    /// The instance runs and was not found to be live yet.
    case probing
    /// It is live; nothing of the swap is recorded.
    case healthy
    /// The swap is recorded and the proxy not told.
    case swapRecorded = "swap-recorded"
    /// The proxy was told, which is not recorded.
    case proxyTold = "proxy-told"
    /// The swap is recorded as done, the old release still has requests.
    case draining
    /// The old release was told to end.
    case stopSent = "stop-sent"
    /// It has ended, which is not recorded.
    case stopped
    /// The release's outcome is all that is missing.
    case cleanUp = "clean-up"
    /// The outcome is recorded, its log is not over.
    case finished
    /// A time at which a type with a schedule is due is recorded; nothing of it runs.
    case cronRecorded = "cron-recorded"
    /// The new name of a service is recorded, its files lie where they were.
    case renamed
    /// They have followed, which is not recorded.
    case renamedFiles = "renamed-files"
    /// A service or an environment that is removed is not on record any more; its files lie where they were.
    case removed
    /// They were moved away, and are not removed.
    case removedFiles = "removed-files"
    /// A server that starts has read what an earlier one left, and changed nothing.
    case recovering
    /// It has put the routes in force, and ended nothing that was interrupted.
    case recovered

    /// - Throws: `Failure` of code `fault` when a test asked for an error here.
    public func reach() throws(Failure) {
        #if DEBUG
            guard try act() == .error else { return }
            throw Failure(code: "fault", "a fault was injected at \(rawValue)")
        #endif
    }

    /// Where nothing may be thrown: an error asked for here is none.
    public func pass() {
        #if DEBUG
            _ = try? act()
        #endif
    }

    /// Makes sure that `KINTO_FAULT` says what it means.
    /// - Throws: `Failure` of code `invalid-request`.
    public static func check() throws(Failure) {
        #if DEBUG
            _ = try plan.get()
        #endif
    }

    #if DEBUG
        enum Kind: Equatable {
            case kill, error
            case delay(milliseconds: UInt32)
            case hold(String)
        }

        struct Order: Equatable {
            let point: Fault
            let kind: Kind
            /// Obeyed when the point is reached for this time; nil: each time.
            let time: Int?
        }

        private static let plan: Result<[Order], Failure> = {
            guard let text = getenv("KINTO_FAULT").map({ String(cString: $0) }), !text.isEmpty else {
                return .success([])
            }
            return Result { () throws(Failure) in try orders(text) }
        }()
        private static let reached = Mutex<[Fault: Int]>([:])

        static func orders(_ text: String) throws(Failure) -> [Order] {
            var orders: [Order] = []
            for part in text.split(separator: ",", omittingEmptySubsequences: false) {
                let words = part.split(separator: ":", omittingEmptySubsequences: false)
                let ends = words.last.map { $0.split(separator: "@", omittingEmptySubsequences: false) } ?? []
                guard words.count == 2, let point = Fault(rawValue: String(words[0])),
                    (1...2).contains(ends.count),
                    let kind = kind(ends[0]), ends.count == 1 || Int(ends[1]).map({ $0 > 0 }) == true
                else {
                    throw Failure(
                        code: "invalid-request",
                        "KINTO_FAULT is POINT:kill, POINT:error, POINT:delay or POINT:hold=PATH, not '\(part)'; the points are "
                            + allCases.map(\.rawValue).joined(separator: ", "))
                }
                orders.append(Order(point: point, kind: kind, time: ends.count == 2 ? Int(ends[1]) : nil))
            }
            return orders
        }

        private static func kind(_ text: Substring) -> Kind? {
            switch text {
            case "kill": return .kill
            case "error": return .error
            case "delay": return .delay(milliseconds: 1000)
            case _ where text.hasPrefix("hold=/"): return .hold(String(text.dropFirst("hold=".count)))
            default:
                guard text.hasPrefix("delay="), let time = UInt32(text.dropFirst("delay=".count)),
                    time <= 600_000
                else { return nil }
                return .delay(milliseconds: time)
            }
        }

        private func act() throws(Failure) -> Kind? {
            let orders = try Fault.plan.get().filter { $0.point == self }
            guard !orders.isEmpty else { return nil }
            let time = Fault.reached.withLock { counts in
                counts[self, default: 0] += 1
                return counts[self] ?? 1
            }
            guard let order = orders.first(where: { $0.time == nil || $0.time == time }) else { return nil }
            switch order.kind {
            case .kill: kill(getpid(), SIGKILL)
            case .delay(let milliseconds):
                var left = timespec(
                    tv_sec: Int(milliseconds / 1000), tv_nsec: Int(milliseconds % 1000) * 1_000_000)
                withUnsafeMutablePointer(to: &left) { while nanosleep($0, $0) != 0, errno == EINTR {} }
            case .hold(let path):
                _ = try? Descriptor.open("\(path).held", O_WRONLY | O_CREAT)
                while access(path, F_OK) != 0 { usleep(20_000) }
            case .error: break
            }
            return order.kind
        }
    #endif
}
