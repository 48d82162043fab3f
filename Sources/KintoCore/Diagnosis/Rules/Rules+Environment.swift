// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// Variables and settings that an application wants.
    static let environment: [Rule] = [
        Rule(
            code: "variable-missing",
            when: [
                "^KeyError: '{variable}'", "key not found: \"{variable}\"",
                "environment variable \"{variable}\"", "environment variable '{variable}'",
                "environment variable `{variable}`",
                "Environment variable not found: {variable}", "environment variable: {variable}",
                "environment variables: {variable}",
                "environment variable {variable} is not set", "environment variable {variable} not set",
                "environment variable {variable} is required", "environment variable {variable} must be",
                "{variable} environment variable",
                "required key {variable} missing value", "Undefined array key \"{variable}\"",
                "Undefined index: {variable}", "panic: {variable} is not set",
                "panic: {variable} must be set",
                "Error: {variable} is not set", "Error: {variable} is required",
                "Error: {variable} must be set",
                "Error: {variable} is not defined", "Error: Missing {variable}",
                "missing env var {variable}", "missing env var: {variable}",
                "{variable}: parameter not set", "{variable}: unbound variable", "{variable} must be set",
                "{variable} is not set", "Could not resolve placeholder '{variable}'",
                "{variable}: parameter null or not set",
            ],
            says: "the variable {variable} is not set",
            [
                .init("set it", "kinto config {SERVICE} set {variable}=…"),
                .init(
                    "and have kinto check it before each build: \"requires\": [\"{variable}\"] in kinto.json"),
            ]),
        Rule(
            code: "variable-missing",
            when: ["called `Result::unwrap()` on an `Err` value: NotPresent", ": NotPresent"],
            says: "a variable that it reads (std::env::var) is not set",
            [
                .init("see which ones are", "kinto config {SERVICE} list")
            ]),
        Rule(
            code: "rails-secret",
            when: [
                "Missing `secret_key_base`", "Missing encryption key to decrypt file with",
                "ActiveSupport::MessageEncryptor::InvalidMessage",
            ],
            says: "Rails has no key for its credentials",
            [
                .init("set it", "kinto config {SERVICE} set --secret RAILS_MASTER_KEY=…")
            ]),
        Rule(
            code: "django-settings",
            when: ["ImproperlyConfigured: {text}"], says: "Django's settings are not complete: {text}",
            [
                .init("see which variables are set", "kinto config {SERVICE} list")
            ]),
        Rule(
            code: "settings-invalid",
            when: [
                "validation error for {word}", "validation errors for {word}",
                "Invalid environment variables",
                "Config validation error", "Failed to load config", "APPLICATION FAILED TO START",
            ], after: 6,
            says: "the application refuses its configuration",
            [
                .init("see which variables are set", "kinto config {SERVICE} list")
            ]),
        Rule(
            code: "needs-input",
            when: [
                "EOFError: EOF when reading a line", "Ok to proceed? (y)", "[y/N]", "[Y/n]", "(yes/no)",
                "not a tty", "Inappropriate ioctl for device", "is not a TTY", "non-interactive",
            ],
            says: "it asks a question, and nobody is there to answer",
            [.init("give the command the option that answers by itself (--yes, --no-input, CI=1)")]),
    ]
}
