// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Wire

/// Whose output a release has.
extension Release {
    /// The instance that `?process=` names: itself, or the first of a type; nil: the main one.
    /// - Throws: `Failure` of code `invalid-request`.
    func instance(asked: String?) throws -> String {
        guard let asked else { return mainInstance }
        let name = asked.contains(".") ? asked : "\(asked).1"
        guard ProcessGroup.isInstance(name) else {
            throw Failure(
                code: "invalid-request", "?process is a process type, or an instance like worker.2")
        }
        return name
    }

    /// Instances that run or have run, as their logs in the release's directory tell, too: the main one's type first. Blocks.
    func consoles(in home: Home) -> [String] {
        let (before, after) = ("console.", ".log")
        let logs = (try? Files.list(home.release(target, number))) ?? []
        let kept = logs.compactMap { file -> String? in
            guard file.hasPrefix(before), file.hasSuffix(after), file.count > before.count + after.count
            else {
                return nil
            }
            let name = String(file.dropFirst(before.count).dropLast(after.count))
            return ProcessGroup.isInstance(name) ? name : nil
        }
        let main = ProcessGroup.type(of: mainInstance)
        func order(_ name: String) -> (Int, String, Int) {
            let type = ProcessGroup.type(of: name)
            return (type == main ? 0 : 1, type, Int(name.dropFirst(type.count + 1)) ?? 0)
        }
        return Set(kept + instances.map(\.name)).sorted { order($0) < order($1) }
    }
}
