// SPDX-License-Identifier: Apache-2.0

extension Operations {
    static let cron: [Operation] = [
        Operation(
            method: "GET", path: "/api/v1/services/{name}/cron", access: .viewer,
            summary: "What of the live release has a schedule; nothing while it is suspended.",
            query: [environment], answers: [(200, .json(.list(.schema("Schedule"))))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/cron/runs", access: .viewer,
            summary: "Runs by schedules, newest first.",
            query: [environment, limit, .optional("type", .text(63), "Of this one only.")],
            answers: [(200, .json(.list(.schema("CronRun"))))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/cron/runs/{run}", access: .viewer,
            summary: "One of them: nightly.7.",
            query: [environment], answers: [(200, .json(.schema("CronRun")))]),
        Operation(
            method: "GET", path: "/api/v1/services/{name}/cron/runs/{run}/log", access: .viewer,
            summary: "What it printed.", query: ofLog, answers: [(200, .log)]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/cron/run", access: .deployer("cron run"),
            summary: "Runs a type now.", query: [environment],
            body: [ofBody, .required("type", .text(63), "nightly")],
            answers: [(201, .json(.schema("CronRun")))]),
        Operation(
            method: "POST", path: "/api/v1/services/{name}/cron/stop", access: .deployer("cron stop"),
            summary: "Ends a run.", query: [environment],
            body: [ofBody, .required("run", .text(80), "nightly.7")], answers: [(200, empty)]),
    ]
}
