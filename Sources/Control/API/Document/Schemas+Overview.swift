// SPDX-License-Identifier: Apache-2.0
internal import KintoCore

extension Schemas {
    /// Of `GET /overview`.
    static let overview: [(name: String, fields: [Field])] = [
        (
            "Overview",
            [
                .required("version", .text), .required("at", .time),
                .required(
                    "proxy",
                    .object([
                        .required("answers", .boolean), .optional("name", .text, "Of what answers."),
                    ])),
                .optional("storage", .schema("Storage")),
                .optional(
                    "counted", .number, "Over how many seconds requests were counted; missing: they are not."),
                .required("releases", .list(.schema("Arrival")), "Those that wait or are on their way."),
                .required("services", .list(.schema("Place"))),
            ]
        ),
        (
            "Place",
            [
                .required("service", .name), .required("environment", .name),
                .required(
                    "state", .choice(Actions.Overview.State.allCases.map(\.rawValue)),
                    "none: nothing is live."),
                .optional("url", .text), .optional("live", .schema("Known")),
                .optional("last", .schema("Known"), "The newest of all."),
                .required("site", .boolean, "What is live is a site of files, for which nothing has to run."),
                .required("processes", .list(.schema("Running"))),
                .optional("memory", .bytes, "Bytes of all instances of what is live."),
                .optional("requests", .number, "A second."),
                .optional("errors", .number, "A second: answers of 500 and above, and those broken off."),
                .optional("p50", .number, "Milliseconds to the head of the answer."),
                .optional("p99", .number), .optional("deploysStopped", .text),
            ]
        ),
        (
            "Known",
            [
                .required("number", .integer), .required("status", statuses), .optional("commit", .text),
                .required("subject", .text), .optional("liveAt", .time),
            ]
        ),
        (
            "Running",
            [
                .required("type", .text, "web, worker"), .required("instances", .integer),
                .required("running", .integer, "Of these, those whose command runs now."),
                .required("restarts", .integer), .required("memory", .bytes),
            ]
        ),
        (
            "Arrival",
            [
                .required("service", .name), .required("environment", .name), .required("number", .integer),
                .required("status", statuses), .optional("stage", stages), .optional("commit", .text),
                .required("subject", .text), .required("on", .text, "What it waits for or does, in words."),
                .required("elapsed", .bytes, "Milliseconds since it began, or was accepted."),
                .optional("stageElapsed", .bytes), .optional("stageUsual", .number),
                .optional(
                    "usual", .number,
                    "Milliseconds that all stages together usually take; missing: there is no history."),
            ]
        ),
    ]
}
