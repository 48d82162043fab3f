// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

/// What answers are made of, by name.
enum Schemas {
    static let all: [(name: String, fields: [Field])] =
        problems + releases + services + traffic + overview + others + access

    static let providers = Shape.choice([
        "github", "gitlab", "gitea", "forgejo", "gogs", "bitbucket", "bitbucket-server", "generic",
    ])
    static let policies = Shape.choice(["wait", "cancel", "every"])
    static let missed = Shape.choice(["deploy", "warn", "off"])
    static let statuses = Shape.choice(Release.Status.allCases.map(\.rawValue))
    static let stages = Shape.choice(Stage.allCases.map(\.rawValue))
    private static let any = Shape.integer(Int(Int32.min)...Int(Int32.max))

    private static let problems: [(name: String, fields: [Field])] = [
        (
            "Problem",
            [
                .required("type", .text), .required("title", .text),
                .required("status", .integer(400...599)),
                .required("detail", .text, "What happened, in a sentence."),
                .required("code", .text, "Stable; docs/failures.md lists them."),
                .required("hints", .list(.schema("Hint"))), .required("evidence", .list(.text)),
            ]
        ),
        ("Hint", [.required("text", .text), .optional("command", .text)]),
        ("Cause", [.required("code", .text), .required("message", .text)]),
        (
            "Failure",
            [
                .optional("stage", stages), .required("code", .text), .required("message", .text),
                .optional("cause", .schema("Cause")), .required("evidence", .list(.text)),
                .required("hints", .list(.schema("Hint"))),
            ]
        ),
        (
            "Why",
            [
                .required("service", .name), .required("environment", .name), .required("number", .integer),
                .required("status", statuses), .optional("stage", stages), .optional("code", .text),
                .optional("message", .text), .optional("cause", .schema("Cause")),
                .required("evidence", .list(.text)), .required("hints", .list(.schema("Hint"))),
                .required("slow", .list(.text), "Stages that took much longer than usual, in words."),
                .required("warnings", .list(.schema("Warning")), "What was said before its build."),
            ]
        ),
        (
            "Warning",
            [
                .required("code", .text), .required("message", .text), .required("evidence", .list(.text)),
                .optional("hint", .schema("Hint")),
            ]
        ),
    ]

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

    private static let releases: [(name: String, fields: [Field])] = [
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

    private static let services: [(name: String, fields: [Field])] = [
        (
            "Service",
            [
                .required("name", .name), .required("environment", .name), .required("branch", .text),
                .required("repository", .text),
                .optional("url", .text, "None when what is live has workers only."),
                .optional("live", .schema("Release")),
                .optional("failed", .schema("Why"), "The newest release that is over, if it failed."),
                .required("releases", .list(.schema("Release")), "Those that wait or are on their way."),
                .required("queued", .integer), .required("queue", policies), .required("missed", missed),
                .required("submoduleHosts", .list(.text)), .optional("previews", .schema("Previews")),
                .optional("previewUntil", .time, "It is a branch's, and goes then."),
                .required("suspended", .boolean),
                .required("paused", .boolean), .required("maintenance", .boolean),
                .required("autoDeploy", .boolean), .required("protect", .boolean),
                .optional("deploysStopped", .text), .required("warm", .list(.integer)),
                .required("runs", .list(.schema("Run")), "Commands that are run once."),
                .required("cron", .list(.schema("Schedule"))),
                .required("webhook", .schema("Webhook")), .optional("lastDelivery", .schema("Delivery")),
                .optional("waiting", .text), .required("waits", .list(.schema("Wait"))),
            ]
        ),
        (
            "Previews",
            [
                .required("pattern", .text), .required("lifetime", .integer, "Milliseconds."),
                .required("most", .integer), .optional("config", .name),
            ]
        ),
        (
            "Environment",
            [
                .required("service", .name), .required("environment", .name), .required("branch", .text),
                .required("autoDeploy", .boolean), .required("protect", .boolean), .optional("url", .text),
                .optional("live", .integer), .optional("previewUntil", .time),
            ]
        ),
        (
            "Promotion",
            [
                .optional("release", .schema("Release"), "Not of a dry run."),
                .required("promoted", .integer, "The number where it comes from."),
                .required("commits", .list(.text), "Subjects, newest first; at most 20."),
                .required("commitCount", .integer),
                .required("differences", .list(.text), "Variables and settings."),
                .required("older", .boolean, "It goes back to commits before what is live."),
            ]
        ),
        (
            "Webhook",
            [
                .required("provider", providers), .required("url", .text),
                .optional("previousSecretUntil", .time),
            ]
        ),
        (
            "Run",
            [
                .required("name", .text, "run.7"), .required("release", .integer),
                .required("command", .text), .required("startedAt", .time), .required("detached", .boolean),
                .optional("supervisor", .integer, "Its pid."),
            ]
        ),
        (
            "Schedule",
            [
                .required("type", .text, "nightly"), .required("command", .text),
                .required("schedule", .text, "0 3 * * *"), .required("timezone", .text, "Europe/Berlin"),
                .required("overlap", .choice(Manifest.ProcessType.RunOverlap.allCases.map(\.rawValue))),
                .required("timeout", .text, "1h"), .required("release", .integer),
                .optional("next", .time, "When it is due."),
                .optional("nextLocal", .time, "The same with the zone's offset."),
                .required("running", .list(.text), "nightly.7"), .optional("last", .schema("CronRun")),
            ]
        ),
        (
            "CronRun",
            [
                .required("run", .text, "nightly.7"), .required("type", .text),
                .required("release", .integer),
                .required(
                    "state", .choice(["running"] + Run.Outcome.allCases.map(\.rawValue)),
                    "What is missed or skipped did not run."),
                .optional("due", .time, "None: somebody wanted it."), .optional("by", .text),
                .required("count", .integer, "How many times it stands for, which did not run."),
                .optional("until", .time, "The last of them."), .required("startedAt", .time),
                .optional("finishedAt", .time),
                .optional("code", .integer, "128 and the signal's number when one ended it."),
                .optional("problem", .text), .required("command", .text),
            ]
        ),
        (
            "Wait",
            [.required("on", .text), .optional("since", .time), .optional("until", .time)]
        ),
        (
            "NewWebhook",
            [.required("url", .text), .required("secret", .text), .required("provider", providers)]
        ),
        (
            "Added",
            [
                .required("name", .name), .required("branch", .text), .required("kind", .text),
                .required("repository", .text), .required("webhook", .schema("NewWebhook")),
                .optional("remote", .text), .optional("deployKey", .text),
                .optional("check", .schema("RemoteCheck")),
            ]
        ),
        ("ServiceDocument", ServiceDocument.fields),
        (
            "Imported",
            [
                .required("added", .schema("Added")),
                .required("missing", .list(.text), "Secrets without a value: 'production DATABASE_URL'."),
            ]
        ),
        (
            "RemoteCheck",
            [
                .optional("commit", .text), .optional("pinned", .text), .optional("code", .text),
                .optional("problem", .text), .required("hints", .list(.schema("Hint"))),
            ]
        ),
        (
            "Renamed",
            [
                .required("name", .name), .required("former", .name), .required("repository", .text),
                .optional("remote", .text, "What those who push have to run."), .required("webhook", .text),
                .required("urls", .list(.text)),
            ]
        ),
        (
            "Rotated",
            [
                .required("name", .name), .required("url", .text), .required("secret", .text),
                .required("provider", providers), .required("previousUntil", .time),
            ]
        ),
        (
            "Delivery",
            [
                .required("delivery", .text), .required("service", .text), .required("provider", providers),
                .required("event", .text), .required("ref", .text), .required("verdict", .text),
                .optional("release", .integer, "The first of 'releases'."),
                .required("releases", .list(.schema("DeliveryRelease"))),
                .required("status", .integer(100...599)),
                .required("at", .time), .required("duration", .integer, "Milliseconds to the verdict."),
                .required("replayable", .boolean),
            ]
        ),
        (
            "DeliveryRelease",
            [
                .required("environment", .name), .required("release", .integer),
                .required("isNew", .boolean, "False: it was live already."),
            ]
        ),
        (
            "Queued",
            [
                .required("delivery", .text), .required("service", .name), .required("environment", .name),
                .required("release", .integer), .required("position", .integer), .required("url", .text),
                .optional("also", .list(.schema("Other"))),
            ]
        ),
        (
            "Ignored",
            [
                .required("ignored", .text), .required("delivery", .text), .required("service", .name),
                .required("environment", .name), .optional("release", .integer), .optional("url", .text),
                .optional("also", .list(.schema("Other"))),
            ]
        ),
        (
            "Other",
            [
                .required("service", .name), .required("environment", .name), .optional("release", .integer),
                .optional("ignored", .text),
            ]
        ),
    ]

    private static let traffic: [(name: String, fields: [Field])] = [
        (
            "Status",
            [
                .required("version", .text), .required("home", .text), .required("listen", .text),
                .optional("storage", .schema("Storage")), .required("proxy", .schema("ProxyStatus")),
                .required("isolation", .map(.text)), .required("spool", .schema("Spool")),
                .required("services", .list(.schema("Service"))),
            ]
        ),
        (
            "Storage",
            [
                "home", "database", "artifacts", "logs", "caches", "repositories", "workspaces", "free",
                "freeFiles",
            ].map { .required($0, .number) } + [.required("measuredAt", .time)]
        ),
        (
            "ProxyStatus",
            [
                .optional("pid", .integer), .optional("supervisor", .integer), .optional("listen", .text),
                .optional("tlsListen", .text), .required("certificates", .list(.schema("Certificate"))),
                .optional("name", .text),
            ]
        ),
        (
            "Proxy",
            [
                .required("pid", .integer), .optional("supervisor", .integer), .required("listen", .text),
                .optional("tlsListen", .text), .required("version", .text),
            ]
        ),
        (
            "Spool",
            [
                .required("waiting", .integer), .required("setAside", .list(.text)),
                .required("directory", .text),
            ]
        ),
        (
            "Certificate",
            [
                .required("name", .text), .required("hosts", .list(.text)), .optional("expiresAt", .time),
                .optional("daysLeft", any), .optional("problem", .text),
            ]
        ),
        (
            "Finding",
            [
                .required("what", .text), .required("isWell", .boolean), .required("detail", .text),
                .optional("fix", .text),
            ]
        ),
    ]

    private static let others: [(name: String, fields: [Field])] = [
        ("Variables", [.required("variables", .list(.schema("Variable")))]),
        (
            "Variable",
            [
                .required("name", .text), .optional("value", .text, "Missing: a secret."),
                .required("secret", .boolean),
            ]
        ),
        ("Configured", [.optional("release", .schema("Release"))]),
        (
            "Report",
            [
                .required("id", .bytes), .optional("service", .name),
                .required("kind", .choice(["status", "webhook", "slack", "mail"])), .required("url", .text),
                .optional("mail", .schema("Mail")), .optional("problem", .text),
                .required("waiting", .integer),
            ]
        ),
        (
            "Mail",
            [
                .required("from", .text), .required("to", .list(.text)), .optional("user", .text),
                .required("plaintext", .boolean),
            ]
        ),
        (
            "Freed",
            [
                .required("items", .list(.schema("FreedItem"))), .required("records", .integer),
                .required("bytes", .bytes),
            ]
        ),
        (
            "FreedItem",
            [.required("kind", .text), .required("name", .text), .required("bytes", .bytes)]
        ),
    ]
}
