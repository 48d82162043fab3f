// SPDX-License-Identifier: Apache-2.0

extension ProjectRules {
    /// What is needed to build is installed, too, though the service runs with NODE_ENV=production.
    static let node = ProjectRule(
        name: "Node.js", marks: ["package.json"],
        facts: [
            .init("start", .json("package.json", ["scripts", "start"])),
            .init("build", .json("package.json", ["scripts", "build"])),
            .init("main", .json("package.json", ["main"])),
            .init("main", .file(["server.js", "index.js", "app.js", "server.mjs", "index.mjs"])),
            .init("needs", .json("package.json", ["dependencies"])),
            .init("needs", .json("package.json", ["devDependencies"])),
            .init("yarn2", .file([".yarnrc.yml"])),
            .init("vite", .json("package.json", ["devDependencies", "vite"])),
            .init("vite", .json("package.json", ["dependencies", "vite"])),
        ],
        steps: [
            [
                .init(
                    name: "pnpm", when: [.file("pnpm-lock.yaml")],
                    command: "pnpm install --frozen-lockfile --prod=false", cache: ["node_modules"]),
                .init(
                    name: "yarn", when: [.file("yarn.lock"), .known("yarn2")],
                    command: "yarn install --immutable", cache: ["node_modules"]),
                .init(
                    name: "yarn", when: [.file("yarn.lock")],
                    command: "yarn install --frozen-lockfile --production=false", cache: ["node_modules"]),
                // It begins by removing node_modules: nothing to keep.
                .init(name: "npm", when: [.file("package-lock.json")], command: "npm ci --include=dev"),
                .init(name: "npm", when: [.file("npm-shrinkwrap.json")], command: "npm ci --include=dev"),
                .init(
                    name: "npm", when: [.known("needs")], command: "npm install --include=dev",
                    cache: ["node_modules"],
                    notes: ["There is no lock file: what is installed may change from build to build."]),
            ],
            [
                .init(when: [.known("build"), .file("pnpm-lock.yaml")], command: "pnpm run build"),
                .init(when: [.known("build"), .file("yarn.lock")], command: "yarn run build"),
                .init(when: [.known("build")], command: "npm run build"),
            ],
        ],
        starts: [
            .init(when: [.known("start"), .file("pnpm-lock.yaml")], command: "pnpm start"),
            .init(when: [.known("start"), .file("yarn.lock")], command: "yarn start"),
            .init(when: [.known("start")], command: "npm start"),
            .init(
                name: "Vite", when: [.known("vite"), .known("build")], site: "dist", fallback: "index.html"),
            .init(when: [.known("main")], command: "node {main}"),
        ], env: [("NODE_ENV", "production")])
}
