// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Schemas {
    static let services: [(name: String, fields: [Field])] = [
        (
            "Service",
            [
                .required("name", .name), .required("environment", .name), .required("branch", .text),
                .required("repository", .text),
                .optional("url", .text, "None when what is live has workers only."),
                .optional("live", .schema("Release")),
                .required("site", .boolean, "What is live is a site of files, for which nothing has to run."),
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
                .required("forks", .boolean, "Pull requests from forks get one, too."),
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
}
