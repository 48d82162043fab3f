// SPDX-License-Identifier: Apache-2.0
internal import KintoCore
internal import Mustache

/// The pages' templates, checked when the first is shown. They have no way to put text in unescaped: `{{{` and `{{&`
/// are refused.
enum DashboardTemplates {
    /// The library's own escaping goes by grapheme: a quotation mark with a combining mark after it is another
    /// character to it, and stays as it is. This one goes by scalar.
    private struct HTML: MustacheContentType {
        func escapeText(_ text: String) -> String {
            var out = ""
            out.reserveCapacity(text.utf8.count)
            for scalar in text.unicodeScalars {
                switch scalar {
                case "<": out += "&lt;"
                case ">": out += "&gt;"
                case "&": out += "&amp;"
                case "\"": out += "&quot;"
                case "'": out += "&#39;"
                default: out.unicodeScalars.append(scalar)
                }
            }
            return out
        }
    }

    private static let library: Result<MustacheLibrary, any Error> = Result {
        MustacheContentTypes.register(HTML(), named: "SCALARS")
        var templates: [String: MustacheTemplate] = [:]
        for (name, text) in pages {
            guard !text.contains("{{{"), !text.contains("{{&") else {
                throw Failure(code: "internal", "the template \(name) has text unescaped")
            }
            templates[name] = try MustacheTemplate(string: "{{% CONTENT_TYPE: SCALARS}}" + text)
        }
        return MustacheLibrary(templates: templates)
    }

    static func render(_ name: String, _ view: [String: Any]) throws -> String {
        guard let text = try library.get().render(view, withTemplate: name) else {
            throw Failure(code: "internal", "there is no template \(name)")
        }
        return text
    }
}
