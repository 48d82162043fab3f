// SPDX-License-Identifier: Apache-2.0
public import Wire

/// Who did what, and what became of it: a row of the audit log. No value of a variable and no secret is in it.
public struct AuditEntry: Sendable, Equatable {
    /// What it ends with when all went well.
    public static let done = "done"
    /// What it has until its action is over; for good if the server died meanwhile.
    public static let begun = "begun"

    /// Grows; 0 before it is written.
    public var id: Int64 = 0
    public var at: Timestamp = .now
    /// `Principal.name`, or `webhook`, `kinto`.
    public var who: String
    /// nil: no account's.
    public var role: Role?
    public var door: Door
    /// `deploy`, `token add`.
    public var action: String
    /// The service that it is about; nil: none.
    public var service: String?
    /// `SERVICE/ENVIRONMENT`, a service, or a name of what else it is about; empty: the server.
    public var target: String
    /// A few words.
    public var what: String
    /// `done`, `begun`, or the code of the failure that it ended with.
    public var result: String

    public init(
        who: String, role: Role? = nil, door: Door, action: String, service: String? = nil,
        target: String = "", what: String = "", result: String = AuditEntry.done
    ) {
        self.who = who
        self.role = role
        self.door = door
        self.action = action
        self.service = service
        self.target = target
        self.what = what
        self.result = result
    }

    /// Of a trigger that no account of kinto asks for.
    public static func trigger(_ who: String, _ door: Door, of target: Target, _ what: String) -> AuditEntry {
        AuditEntry(
            who: who, door: door, action: "deploy", service: target.service.description,
            target: target.description, what: what)
    }
}
