// SPDX-License-Identifier: Apache-2.0

/// Keys by which other tools say what a kinto.json says in its own words.
enum ForeignKeys {
    /// What is meant, for a key at the top that is not known; nil: nobody's that is known.
    static func meaning(_ key: String) -> String? {
        meanings.first { $0.keys.contains(key) }?.meaning
    }

    private static let meanings: [(keys: Set<String>, meaning: String)] = [
        (
            [
                "buildCommand", "build_command", "builds", "builder", "installCommand", "install_command",
                "buildpacks", "buildpack",
            ], "did you mean 'build.command'?"
        ),
        (["outputDirectory", "output_directory", "output", "publish"], "did you mean 'build.output'?"),
        (["cache", "cacheDirectories", "cache_directories"], "did you mean 'build.cache'?"),
        (["scripts"], "that is npm's; did you mean 'build.command' and 'start'?"),
        (
            ["startCommand", "start_command", "command", "cmd", "entrypoint", "main", "run", "web"],
            "did you mean 'start'?"
        ),
        (
            ["dockerfile", "image", "docker", "docker-compose", "registry"],
            "kinto uses no images: 'build.command' and 'start' say how it is built and run"
        ),
        (
            ["env_file", "envFile", "dotenv"],
            "variables are in 'env', secrets at the server: kinto config NAME set"
        ),
        (["environment", "envs", "envVars", "env_vars", "variables"], "did you mean 'env'?"),
        (
            ["secrets"],
            "secrets are kept at the server: kinto config NAME set; 'requires' lists those that have to be there"
        ),
        (
            [
                "healthcheck", "health_check", "healthCheck", "healthcheckPath", "healthCheckPath", "health",
                "checks", "readinessProbe", "livenessProbe",
            ], "did you mean 'probe.path'?"
        ),
        (["domains", "domain", "host", "hostname", "alias"], "did you mean 'hosts'?"),
        (
            ["ports", "internal_port", "http_service", "expose", "targetPort"],
            "did you mean 'port'? The service itself listens on $PORT"
        ),
        (
            ["replicas", "instances", "scale", "concurrency", "formation", "min_machines_running"],
            "did you mean 'rollout.instances'?"
        ),
        (["kill_signal", "stop_signal", "stopSignal"], "did you mean 'rollout.stop.signal'?"),
        (
            ["kill_timeout", "stop_grace_period", "stop_wait_time", "terminationGracePeriodSeconds"],
            "did you mean 'rollout.stop.grace'?"
        ),
        (
            [
                "release_command", "releaseCommand", "preDeployCommand", "pre_deploy", "predeploy",
                "postdeploy", "deploy", "hooks",
            ], "did you mean 'release.command'?"
        ),
        (["workers", "worker", "services", "servers"], "did you mean 'processes'?"),
        (["crons", "cron", "jobs"], "did you mean 'processes.NAME.schedule'?"),
        (
            ["rootDirectory", "root_directory", "rootDir", "workdir", "working_dir", "context"],
            "did you mean 'root'?"
        ),
        (["watchPaths", "watch_paths", "buildFilter", "ignoreCommand"], "did you mean 'paths'?"),
        (
            ["name", "app", "service", "branch", "repository"],
            "that is told to the server: kinto service add NAME"
        ),
        (
            ["memory", "resources", "vm"],
            "did you mean 'build.memory'? That of services is kinto serve --service-memory"
        ),
        (
            ["dependencies", "devDependencies", "engines", "version", "type", "private"],
            "that belongs into package.json"
        ),
        (
            ["volumes", "mounts", "addons", "restart", "networks", "regions", "primary_region", "functions"],
            "kinto has nothing of the kind"
        ),
    ]
}
