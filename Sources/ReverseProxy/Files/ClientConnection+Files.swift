// SPDX-License-Identifier: Apache-2.0
internal import Glibc
internal import Wire

/// Requests that the proxy answers with files.
extension ClientConnection {
    /// - Returns: false when the instances are to be asked.
    func serve(_ head: MessageHead, from found: Router.Route) -> Bool {
        guard let files = found.files, let target = found.upstream else { return false }
        let request = SiteRequest(head)
        guard
            let lookup = SiteLookup(
                request, in: files,
                now: {
                    var time = timespec()
                    clock_gettime(CLOCK_REALTIME, &time)
                    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
                })
        else { return false }
        claim(target)
        // What else comes of the request is not waited for.
        if requestBody?.isDone != true || worker.stopping { keepsAlive = false }
        switch lookup {
        case .file(let site, let number, let fields, let status):
            send(site, site.files[number], fields, status, request)
        case .moved(let to, let status):
            end(OwnAnswer(status, moved: to))
        case .malformed: end(OwnAnswer(400, "the path is malformed"))
        case .options:
            var own = OwnAnswer(200, "")
            own.fields = "Allow: GET, HEAD, OPTIONS\r\n"
            own.body = []
            end(own)
        case .notAllowed:
            var own = OwnAnswer(405, "this is a file")
            own.fields = "Content-Type: text/plain; charset=utf-8\r\nAllow: GET, HEAD, OPTIONS\r\n"
            end(own)
        case .missing: end(OwnAnswer(404, "there is no such page"))
        case .unreadable: end(OwnAnswer(500, "the files of \(found.identifier) cannot be read"))
        }
        return true
    }

    private func end(_ own: OwnAnswer) {
        route?.answered(own.status, now: worker.now, since: claimedAt)
        unclaim(failed: false)
        answer(own)
    }

    private func send(
        _ site: Site, _ file: Site.File, _ fields: [UInt8], _ status: Int, _ request: SiteRequest
    ) {
        var (source, size, coding) = (file.source, file.size, StaticString?.none)
        var quoted = [UInt8(ascii: "\"")] + site.text(file.tag)
        if !request.wantsRange {
            if let variant = file.brotli, request.accepts("br") {
                (source, size, coding) = (variant.source, variant.size, "br")
                quoted += "-br".utf8
            } else if let variant = file.gzip, request.accepts("gzip") {
                (source, size, coding) = (variant.source, variant.size, "gzip")
                quoted += "-gz".utf8
            }
        }
        quoted.append(UInt8(ascii: "\""))
        var status = status
        var range = 0..<size
        if status == 200 {
            status = request.status(for: quoted)
            if status == 200 {
                switch request.range(of: size, tag: quoted) {
                case .whole: break
                case .part(let part): (status, range) = (206, part)
                case .outside: status = 416
                }
            }
        }
        switch status {
        case 412: return end(OwnAnswer(412, "the file has changed"))
        case 416:
            var own = OwnAnswer(416, "the file has \(size) bytes")
            own.fields += "Content-Range: bytes */\(size)\r\n"
            return end(own)
        default: break
        }
        let hasBody = status != 304 && !isHead && !range.isEmpty
        let opened = hasBody ? site.open(source, size: size) : nil
        if hasBody, opened == nil { return end(OwnAnswer(500, "the file cannot be read")) }

        output.append("HTTP/1.1 \(status) \(OwnAnswer.phrase(status))\r\n".utf8)
        output.append(worker.dateField())
        if status != 304 { output.append("Content-Length: \(range.count)\r\n".utf8) }
        if status == 206 {
            output.append(
                "Content-Range: bytes \(range.lowerBound)-\(range.upperBound - 1)/\(size)\r\n".utf8)
        }
        output.append(fields)
        output.append("ETag: ")
        output.append(quoted)
        output.append("\r\nAccept-Ranges: bytes\r\n")
        if let coding {
            output.append("Content-Encoding: ")
            output.append(coding)
            output.append("\r\n")
        }
        if file.gzip != nil || file.brotli != nil { output.append("Vary: Accept-Encoding\r\n") }
        if !keepsAlive { output.append("Connection: close\r\n") }
        output.append("\r\n")

        route?.answered(status, now: worker.now, since: claimedAt)
        hasAnswered = true
        state = .exchange
        guard let opened else { return endFile() }
        var body = FileBody(opened, range)
        while body.left > 0, body.left <= FileBody.small {
            guard body.read(into: &output, by: worker.scratch) != .failed else { return breakFile() }
        }
        if body.left == 0 { endFile() } else { self.file = body }
    }

    /// Goes on with the file, as far as the visitor takes it now.
    func sendFile() {
        var sent = 0
        while isOpen, var body = file, output.isEmpty, fd < 0 || sent < FileBody.turn {
            let before = body.left
            let outcome =
                canSplice && !body.isCopied
                ? body.send(to: fd, most: FileBody.turn) : body.read(into: &output, by: worker.scratch)
            file = body
            sent += before - body.left
            if outcome == .failed { return breakFile() }
            if outcome == .gone { return visitorLeft() }
            if body.left == 0 { endFile() }
            if outcome == .wouldBlock { return }
            if !output.isEmpty, !transmit(&output) { return visitorLeft() }
        }
    }

    /// All of it is out, or waits to be. Who called goes on with the next request.
    private func endFile() {
        file = nil
        hasEndedFile = true
        unclaim(failed: false)
        if keepsAlive {
            state = .head
            awaitHead()
        } else {
            closeWhenSent()
        }
    }

    /// The file is not what it was.
    private func breakFile() {
        file = nil
        unclaim(failed: true)
        cut()
    }
}
