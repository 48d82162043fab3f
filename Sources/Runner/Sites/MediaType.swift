// SPDX-License-Identifier: Apache-2.0

/// What files are, by the ends of their names (the registry of media types at IANA).
enum MediaType {
    /// What is compressed already does not get smaller.
    static func isCompressible(_ type: String) -> Bool {
        type.hasPrefix("text/") || compressible.contains(String(type.prefix { $0 != ";" }))
    }

    /// By the name of a file.
    static func of(_ name: some BidirectionalCollection<UInt8>) -> String {
        guard let dot = name.lastIndex(of: UInt8(ascii: ".")) else { return unknown }
        let end = String(decoding: name[name.index(after: dot)...], as: UTF8.self)
        return types[end.lowercased()] ?? unknown
    }

    static let unknown = "application/octet-stream"

    private static let compressible: Set<String> = [
        "application/atom+xml", "application/json", "application/ld+json", "application/manifest+json",
        "application/rss+xml", "application/wasm", "application/xhtml+xml", "application/xml", "font/otf",
        "font/ttf", "image/bmp", "image/svg+xml", "image/vnd.microsoft.icon",
    ]

    private static let types: [String: String] = [
        "html": "text/html; charset=utf-8", "htm": "text/html; charset=utf-8",
        "css": "text/css; charset=utf-8", "js": "text/javascript; charset=utf-8",
        "mjs": "text/javascript; charset=utf-8", "txt": "text/plain; charset=utf-8",
        "md": "text/markdown; charset=utf-8", "csv": "text/csv; charset=utf-8",
        "ics": "text/calendar; charset=utf-8", "vtt": "text/vtt; charset=utf-8",
        "xml": "application/xml", "xsl": "application/xml", "rss": "application/rss+xml",
        "atom": "application/atom+xml", "xhtml": "application/xhtml+xml", "json": "application/json",
        "map": "application/json", "jsonld": "application/ld+json",
        "webmanifest": "application/manifest+json", "wasm": "application/wasm", "pdf": "application/pdf",
        "zip": "application/zip", "gz": "application/gzip", "tar": "application/x-tar",
        "7z": "application/x-7z-compressed", "epub": "application/epub+zip", "svg": "image/svg+xml",
        "png": "image/png", "jpg": "image/jpeg", "jpeg": "image/jpeg", "gif": "image/gif",
        "webp": "image/webp", "avif": "image/avif", "apng": "image/apng", "bmp": "image/bmp",
        "tif": "image/tiff", "tiff": "image/tiff", "ico": "image/vnd.microsoft.icon", "woff": "font/woff",
        "woff2": "font/woff2", "ttf": "font/ttf", "otf": "font/otf", "mp4": "video/mp4",
        "webm": "video/webm", "ogv": "video/ogg", "mov": "video/quicktime", "mp3": "audio/mpeg",
        "ogg": "audio/ogg", "opus": "audio/ogg", "oga": "audio/ogg", "wav": "audio/wav",
        "flac": "audio/flac", "m4a": "audio/mp4", "aac": "audio/aac", "weba": "audio/webm",
        "mid": "audio/midi",
    ]
}
