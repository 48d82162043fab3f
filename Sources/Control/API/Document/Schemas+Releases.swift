// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Schemas {
    private static let release: [Field] = [
        .required("service", .name), .required("environment", .name), .required("number", .integer),
        .required("status", statuses), .required("live", .boolean), .optional("stage", stages),
        .optional("commit", .text), .required("branch", .text), .required("subject", .text),
        .required("author", .text),
        .required("trigger", .choice(["push", "webhook", "manual", "rollback", "config", "promote"])),
        .optional(
            "by", .text, "Who asked for it: a user, 'token NAME', 'local ACCOUNT'; null: a forge, or kinto."),
        .optional("rollbackOf", .integer), .optional("supersededBy", .integer),
        .required("createdAt", .time), .optional("startedAt", .time), .optional("liveAt", .time),
        .optional("finishedAt", .time),
        .required("timings", .map(.number), "Milliseconds by step: queue and the stages."),
        .optional(
            "usual", .map(.number),
            "Milliseconds by stage: the median of the last ten successful ones before it; where it is asked for."
        ),
        .optional("swap", .schema("Swap")), .optional("warmUntil", .time),
        .required("instances", .list(.schema("Instance"))), .optional("artifact", .schema("Artifact")),
        .optional("failure", .schema("Failure")),
        .required("warnings", .list(.schema("Warning")), "What was said before its build; at most 20."),
    ]

    static let releases: [(name: String, fields: [Field])] = [
        ("Release", release),
        ("Deploy", release + [.required("alreadyLive", .boolean, "It serves already: nothing is deployed.")]),
        (
            "Plan",
            [
                .required("service", .name), .required("environment", .name), .required("branch", .text),
                .optional("commit", .text), .optional("subject", .text),
                .required(
                    "verdict", .choice(["deploys", "already-live", "superseded", "refused", "fails"])),
                .optional("reason", .text), .optional("live", .integer),
                .required(
                    "queue",
                    .object([
                        .required("position", .integer, "How many are before it."),
                        .required("after", .list(.integer)), .required("replaces", .list(.integer)),
                        .optional("ends", .integer),
                    ])),
                .optional(
                    "artifact",
                    .object([
                        .required("reused", .boolean), .optional("from", .integer),
                        .required("reason", .text),
                    ])),
                .required(
                    "steps",
                    .list(
                        .object([
                            .required("stage", stages), .required("what", .text),
                            .optional("expected", .number, "Milliseconds, the median of the last ten."),
                        ]))),
                .optional("expected", .number), .optional("url", .text),
                .optional("failure", .schema("Failure")), .required("warnings", .list(.schema("Warning"))),
            ]
        ),
        (
            "Swap",
            [
                .required("requests", .bytes), .required("failed", .bytes), .required("delayed", .bytes),
                .required("cut", .bytes),
            ]
        ),
        (
            "Instance",
            [
                .required("name", .text, "web.1, worker.2"), .optional("pid", .integer),
                .optional("port", .integer(0...65535), "Workers have none."),
                .optional("command", .text),
                .required("startedAt", .time), .required("restarts", .integer),
            ]
        ),
        (
            "Artifact",
            [.required("sha256", .text), .required("bytes", .bytes), .required("available", .boolean)]
        ),
        (
            "Comparison",
            [
                .required("from", .schema("Side")), .required("to", .schema("Side")),
                .required(
                    "commits", .list(.schema("Commit")), "Only 'to' has them, newest first; at most 20."),
                .required("commitCount", .integer),
                .required("missing", .list(.schema("Commit")), "Only 'from' has them."),
                .required("missingCount", .integer),
                .required("settings", .list(.text), "Keys of kinto.json, each after +, - or ~."),
                .required("configuration", .list(.text), "Names of variables, each after +, - or ~."),
                .optional("problem", .text, "Why the settings of a side cannot be compared."),
            ]
        ),
        (
            "Side",
            [
                .required("name", .text), .required("environment", .name), .optional("release", .integer),
                .optional("commit", .text),
            ]
        ),
        (
            "Commit",
            [
                .required("commit", .text), .required("subject", .text), .required("author", .text),
                .required("at", .time),
            ]
        ),
        (
            "Rollback",
            [
                .required("release", .schema("Release")),
                .required("configDiff", .list(.text), "Names of variables, each after +, - or ~."),
            ]
        ),
    ]
}
