// SPDX-License-Identifier: Apache-2.0

extension Rule {
    /// Package managers.
    static let packages: [Rule] = [
        Rule(
            code: "npm-lock", .command,
            when: [
                "can only install packages when your package.json and package-lock.json",
                "can only install with an existing package-lock.json", "ERR_PNPM_OUTDATED_LOCKFILE",
                "ERR_PNPM_NO_LOCKFILE", "Your lockfile needs to be updated",
                "The lockfile would have been modified by this install", "ERR_PNPM_LOCKFILE_CONFIG_MISMATCH",
                "lockfile had changes, but lockfile is frozen",
            ],
            after: 3, says: "package.json and the lock file do not agree, or there is none",
            [
                .init("make it anew and commit it", "npm install --package-lock-only"),
                .init("with yarn or pnpm: yarn install, pnpm install"),
            ]),
        Rule(
            code: "npm-manifest", .command,
            when: [
                "EJSONPARSE", "Could not read package.json", "package.json: Unexpected token",
                "Couldn't find a package.json file", "ERR_PNPM_NO_PKG_MANIFEST", "Failed to parse JSON data",
            ],
            after: 2, says: "package.json is not there, or no valid JSON",
            [.init("commit it, mend it, or set root in kinto.json to where it is")]),
        Rule(
            code: "npm-script-missing", .command,
            when: [
                "Missing script: \"{text}\"", "missing script: {word}", "Command \"{text}\" not found",
                "Missing script \"{text}\"", "Couldn't find a script named \"{text}\"",
            ],
            says: "package.json has no script '{text}{word}'",
            [.init("add it to \"scripts\", or correct the command in kinto.json")]),
        Rule(
            code: "npm-conflict", .command,
            when: ["ERESOLVE could not resolve", "ERESOLVE unable to resolve", "ERR_PNPM_PEER_DEP_ISSUES"],
            after: 8, says: "packages want versions of another one that exclude each other",
            [.init("change the versions in package.json until npm install goes well")]),
        Rule(
            code: "npm-package-missing", .command,
            when: [
                "is not in this registry", "is not in the npm registry",
                "No matching version found for {word}", "ETARGET", "Couldn't find package \"{text}\"",
                "Couldn't find any versions for \"{text}\"", "ERR_PNPM_FETCH_404",
                "ERR_PNPM_NO_MATCHING_VERSION",
            ],
            after: 2, says: "the registry does not have a package or version that package.json asks for",
            [.init("correct its name and version; a private one needs its registry and a token (.npmrc)")]),
        Rule(
            code: "npm-auth", .command,
            when: [
                "npm error code E401", "npm error code E403", "npm ERR! code E401", "npm ERR! code E403",
                "ENEEDAUTH", "ERR_PNPM_FETCH_401",
            ],
            after: 2, says: "the package registry does not let the build in",
            [
                .init(
                    "give it a token and read it in .npmrc", "kinto config {SERVICE} set --secret NPM_TOKEN=…"
                )
            ]),
        Rule(
            code: "npm-integrity", .command,
            when: ["EINTEGRITY", "ERR_PNPM_TARBALL_INTEGRITY", "Integrity check failed"],
            says: "a package that was downloaded is not the one in the lock file",
            [.init("build without what was kept of earlier ones", "kinto deploy {SERVICE} --no-cache")]),
        Rule(
            code: "native-module", .command,
            when: [
                "gyp ERR! {text}", "node-pre-gyp ERR!", "was compiled against a different Node.js version",
            ],
            says: "a package with native code could not be built",
            [
                .init(
                    "install python3, make and g++ on this host; after an update of Node.js build anew",
                    "kinto deploy {SERVICE} --no-cache")
            ]),
        Rule(
            code: "pip-package-missing", .command,
            when: [
                "ERROR: No matching distribution found for {word}",
                "Could not find a version that satisfies the requirement {word}",
            ],
            says: "pip finds no {word} for this version of Python",
            [.init("correct its name and version in requirements.txt")]),
        Rule(
            code: "pip-managed", .command, when: ["externally-managed-environment"],
            says: "pip may not install into the Python of the system",
            [
                .init(
                    "build with python3 -m venv .venv && .venv/bin/pip install -r requirements.txt, start with .venv/bin/python"
                )
            ]),
        Rule(
            code: "pip-file-missing", .command, when: ["Could not open requirements file: {text}"],
            says: "there is no requirements file where pip looks for it",
            [.init("commit it, or correct its path in build.command")]),
        Rule(
            code: "pip-conflict", .command,
            when: [
                "ResolutionImpossible", "have conflicting dependencies", "SolverProblemError",
                "No solution found when resolving dependencies",
            ],
            after: 4, says: "packages want versions of another one that exclude each other",
            [.init("loosen the versions in the requirements")]),
        Rule(
            code: "python-version", .command,
            when: [
                "requires a different Python: {text}", "requires Python {text}",
                "is not supported by the project ({text}", "Unsupported Python version",
            ],
            says: "a package wants another version of Python than this host has",
            [.init("install that version, or pin an older version of the package")]),
        Rule(
            code: "python-lock", .command,
            when: [
                "changed significantly since poetry.lock was last generated",
                "The lockfile at `uv.lock` needs to be updated", "is not up to date with pyproject.toml",
                "Your Pipfile.lock ({text}) is out of date",
            ],
            says: "the lock file does not fit pyproject.toml",
            [.init("lock again and commit it (poetry lock, uv lock, pipenv lock)")]),
        Rule(
            code: "pip-requirement", .command,
            when: ["ERROR: Invalid requirement: {text}", "Invalid requirement"], after: 3,
            says: "a line of the requirements is no requirement",
            [.init("correct it; names and versions as in flask==3.0.3")]),
        Rule(
            code: "pip-build", .command, rank: .likely,
            when: [
                "Failed building wheel for {word}", "pg_config executable not found",
                "error: subprocess-exited-with-error", "error: metadata-generation-failed",
                "mysql_config not found", "Python.h: No such file",
            ],
            after: 4, says: "a package with native code could not be built",
            [.init("install the compiler and the -dev packages that it needs, or use its binary form")]),
        Rule(
            code: "gem-missing", .command,
            when: ["Could not find gem '{text}'", "Could not find a valid gem '{text}'"],
            after: 1, says: "there is no gem {text} in the sources",
            [.init("correct its name and version in the Gemfile")]),
        Rule(
            code: "gems-not-installed",
            when: [
                "in locally installed gems", "Run `bundle install` to install missing gems",
                "Bundler::GemNotFound", "is not yet checked out. Run `bundle install`",
                "bundler: command not found: {word}",
            ],
            says: "the gems of the Gemfile are not installed",
            [.init("have the build run bundle install (with path vendor/bundle), and start with bundle exec")]
        ),
        Rule(
            code: "bundler-lock", .command,
            when: [
                "deployment mode after changing", "frozen mode", "your lockfile does not",
                "The gemspecs for path gems changed", "lockfile is frozen",
                "Cannot write a changed lockfile while frozen",
            ],
            after: 3, says: "Gemfile and Gemfile.lock do not agree",
            [.init("lock again and commit it", "bundle lock")]),
        Rule(
            code: "bundler-platform", .command, when: ["Your bundle only supports platforms"], after: 2,
            says: "Gemfile.lock was made for another kind of machine",
            [.init("add this one and commit it", "bundle lock --add-platform x86_64-linux")]),
        Rule(
            code: "gemfile-missing", when: ["Could not locate Gemfile"],
            says: "there is no Gemfile where bundler runs",
            [.init("commit it, or set root in kinto.json to where it is")]),
        Rule(
            code: "ruby-version",
            when: [
                "Your Ruby version is {word}, but your Gemfile specified {word2}",
                "requires ruby version {text}", "Ruby version {text} is required",
            ],
            says: "the Gemfile or a gem wants another version of Ruby than this host has",
            [.init("install it, or change the Gemfile")]),
        Rule(
            code: "gem-build", .command, rank: .likely, when: ["Failed to build gem native extension"],
            after: 4, says: "a gem with native code could not be built",
            [.init("install ruby-dev, gcc, make and the -dev packages that it needs")]),
        Rule(
            code: "cargo-package-missing", .command,
            when: [
                "no matching package named `{text}` found",
                "failed to select a version for the requirement `{text}`",
                "failed to select a version for `{text}`",
            ],
            after: 3, says: "cargo finds no '{text}'", [.init("correct its name and version in Cargo.toml")]),
        Rule(
            code: "cargo-lock", .command,
            when: [
                "needs to be updated but --locked was passed",
                "cannot update the lock file {text} because --locked was passed",
                "because --frozen was passed", "--offline was passed",
            ],
            says: "Cargo.lock does not fit Cargo.toml",
            [.init("mend it and commit it", "cargo generate-lockfile")]),
        Rule(
            code: "cargo-manifest", .command,
            when: [
                "could not find `Cargo.toml`", "failed to parse manifest at",
                "error: could not find `{text}` in `",
            ],
            after: 3, says: "Cargo.toml is not there, or not valid",
            [.init("commit it, mend it, or set root in kinto.json to where it is")]),
        Rule(
            code: "rust-toolchain",
            when: [
                "rustup could not choose a version of {word} to run",
                "error: toolchain '{text}' is not installed",
            ],
            says: "rustup has no such toolchain in the home that this command has",
            [
                .init(
                    "say where the toolchains are, readable by the build's user",
                    "kinto config {SERVICE} set RUSTUP_HOME=…"),
                .init("or install cargo for all users (apt-get install cargo)"),
            ]),
        Rule(
            code: "language-version",
            when: [
                "pyenv: version `{text}' is not installed", "rbenv: version `{text}' is not installed",
                "No version is set for command {word}", "N/A: version \"{text}\" is not yet installed",
            ],
            after: 1, says: "the version manager has not the version of the language that is asked for",
            [.init("install it there, or correct the version in the file that asks for it, and commit that")]),
        Rule(
            code: "composer-lock", .command,
            when: [
                "Your lock file does not contain a compatible set of packages",
                "is not present in the lock file",
                "The lock file is not up to date with the latest changes in composer.json",
            ],
            after: 4, says: "composer.json and composer.lock do not agree, or what they ask for is not there",
            [.init("update and commit it", "composer update --lock")]),
        Rule(
            code: "php-extension",
            when: [
                "requires ext-{word}",
                "it is missing from your system. Install or enable PHP's {word} extension",
                "the requested PHP extension {word} is missing",
            ],
            after: 1, says: "PHP has no extension {word} on this host", [.init("install it (php-NAME)")]),
        Rule(
            code: "php-version",
            when: [
                "your php version ({text}) does not satisfy that requirement",
                "require a PHP version \"{text}\"", "Composer detected issues in your platform",
            ],
            after: 1, says: "the packages want another version of PHP than this host has",
            [.init("install it, or update composer.lock for this one")]),
        Rule(
            code: "composer-missing", .command,
            when: [
                "Could not find a matching version of package {word}", "could not be found in any version",
                "Composer could not find a composer.json file",
                "\"./composer.json\" does not contain valid JSON",
            ],
            after: 3, says: "composer.json is not there or not valid, or asks for what is not there",
            [.init("correct composer.json; a private package needs its repository and a token")]),
        Rule(
            code: "maven-dependency", .command,
            when: [
                "Could not resolve dependencies for project {text}", "Could not find artifact {text}",
                "Could not resolve all files for configuration", "Non-resolvable parent POM",
            ],
            after: 2, says: "Maven or Gradle cannot get a dependency",
            [.init("correct its coordinates; a private one needs its repository and a token")]),
        Rule(
            code: "gradle-wrapper", .command,
            when: [
                "Could not find or load main class org.gradle.wrapper.GradleWrapperMain",
                "there is no POM in this directory", "does not contain a Gradle build",
            ],
            says: "the build tool's own files are not in the repository",
            [
                .init(
                    "commit gradle/wrapper/gradle-wrapper.jar (.gitignore often leaves out *.jar) or pom.xml, or set root"
                )
            ]),
    ]
}
