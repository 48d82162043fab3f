// SPDX-License-Identifier: Apache-2.0

/// `static` and `assets` in kinto.json.
extension Manifest {
    /// The directory of a static site when nothing is said of it.
    static let usualSite = "public"

    /// The directory of the files that requests get, below the root; nil: there are none.
    public var served: String? {
        guard let kept = self.static?.output ?? assets?.directory else { return nil }
        if build.output == "." { return kept }
        return kept == "." ? build.output : "\(build.output)/\(kept)"
    }

    mutating func readFiles(_ top: ObjectReader) {
        if top.has("static") {
            let reader = top.object("static")
            var site = Site()
            site.output = kept(reader, "output", usual: Manifest.usualSite)
            if let page = reader.string("fallback", example: "index.html") {
                site.fallback = Manifest.isPath(page) ? page : nil
                if site.fallback == nil {
                    reader.complain(
                        "fallback", "must be the path of a page in the output, like \"index.html\"")
                }
            }
            if let keep = reader.timeSpan("keep") { site.keep = keep }
            reader.finish()
            self.static = site
        }
        if top.has("assets") {
            let reader = top.object("assets")
            var assets = Assets(directory: kept(reader, "directory", usual: Manifest.usualSite))
            if let path = reader.string("path", example: "/static") {
                let trimmed = path.hasSuffix("/") ? String(path.dropLast()) : path
                let isPath =
                    trimmed.isEmpty || trimmed.hasPrefix("/") && Manifest.isPath(String(trimmed.dropFirst()))
                if path.hasPrefix("/"), isPath {
                    assets.path = trimmed.isEmpty ? "/" : trimmed
                } else {
                    reader.complain("path", "must be the beginning of paths, like \"/\" or \"/static\"")
                }
            }
            if let keep = reader.timeSpan("keep") { assets.keep = keep }
            reader.finish()
            self.assets = assets
        }
    }

    /// When all else is read: what goes together.
    mutating func checkFiles(_ top: ObjectReader) {
        if self.static != nil, start != nil {
            top.complain(
                "static",
                "is for a site without a process, and 'start' is one: for files of a web service take 'assets'"
            )
        }
        if assets != nil, start == nil {
            top.complain(
                "assets",
                "is for the files of a web service, which needs 'start': for a site of files take 'static'")
        }
        // Of a site of which nothing runs, nothing else is needed later.
        if let output = self.static?.output, build.output == ".", groups().isEmpty, release == nil,
            scheduled().isEmpty
        {
            build.output = output
            self.static?.output = "."
        }
    }

    /// A directory below the root that is in what is kept, relative to that.
    private func kept(_ reader: ObjectReader, _ key: String, usual: String) -> String {
        let path =
            reader.string(key, example: usual).map { Manifest.checked($0, reader, key) ?? "." } ?? usual
        if build.output == "." { return path }
        if path == build.output { return "." }
        if path.hasPrefix("\(build.output)/") { return String(path.dropFirst(build.output.count + 1)) }
        reader.complain(key, "must be '\(build.output)' or below it: that is what build.output keeps")
        return "."
    }
}
