// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// By name. `layout` is around the others; what begins with `_` is a part.
    static let pages: [String: String] = [general, service, cron, release, changes, settings, access].reduce(
        into: [:]) {
            $0.merge($1) { $1 }
        }

    private static let general: [String: String] = [
        "layout": #"""
        <!doctype html>
        <html lang="en">
        <head>
        <meta charset="utf-8">
        <meta name="viewport" content="width=device-width, initial-scale=1">
        <meta name="color-scheme" content="light dark">
        <title>{{title}} · kinto</title>
        <link rel="icon" href="data:,">
        <link rel="stylesheet" href="/assets/dashboard.css">
        <script src="/assets/dashboard.js" defer></script>
        </head>
        <body{{#fresh}} data-live{{/fresh}}>
        <a class="skip" href="#main">Skip to content</a>
        <header class="top">
        <a class="brand" href="/">kinto</a>
        {{#signedIn}}
        <nav aria-label="Main"><a href="/">Services</a><a href="/deliveries">Deliveries</a>{{#isAdmin}}<a href="/new-service">New service</a><a href="/accounts">Accounts</a><a href="/audit">Audit</a>{{/isAdmin}}<a href="/account">{{who}} <span class="dim">{{role}}</span></a></nav>
        <form method="post" action="/sign-out"><input type="hidden" name="csrf" value="{{csrf}}"><button class="quiet">Sign out</button></form>
        {{/signedIn}}
        </header>
        <main id="main">
        {{$main}}{{/main}}
        </main>
        <footer>kinto {{version}}</footer>
        </body>
        </html>
        """#,
        "sign-in": #"""
        {{<layout}}{{$main}}
        <div class="narrow">
        <h1>Sign in</h1>
        {{#wrong}}<p class="note bad" role="alert">{{wrong}}</p>{{/wrong}}
        <form method="post" action="/sign-in" class="stack">
        <label for="name">Name</label>
        <input id="name" name="name" autocomplete="username" autocapitalize="none" spellcheck="false" autofocus aria-describedby="name-help">
        <p id="name-help" class="dim">Left empty with an API token.</p>
        <label for="token">Password or API token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required aria-describedby="token-help">
        <p id="token-help" class="dim">The first start wrote a token to <code>token</code> in the home. More: <code>kinto user add</code>, <code>kinto token add</code></p>
        <button class="main">Sign in</button>
        </form>
        </div>
        {{/main}}{{/layout}}
        """#,
        "failure": #"""
        {{<layout}}{{$main}}
        <h1>Not done</h1>
        {{> _failure}}
        <p>{{#back}}<a class="button" href="{{back}}">Back</a>{{/back}} <a class="button" href="/">Services</a></p>
        {{/main}}{{/layout}}
        """#,
        "_failure": #"""
        <div class="note bad" role="group" aria-label="Failure">
        {{> _finding}}
        </div>
        """#,
        "_finding": #"""
        <p><strong>{{message}}</strong> <code class="dim">{{code}}</code></p>
        {{#cause}}<p>{{cause}}{{#causeCode}} <code class="dim">{{causeCode}}</code>{{/causeCode}}</p>{{/cause}}
        {{#hasEvidence}}<pre class="evidence" tabindex="0" aria-label="Evidence">{{#evidence}}{{.}}
        {{/evidence}}</pre>{{/hasEvidence}}
        {{#hasHints}}<ul class="hints">{{#hints}}<li><span>{{text}}</span>{{#command}} <span class="command"><code>{{command}}</code><button type="button" class="script copy" data-copy="{{command}}">Copy<span class="hidden"> {{command}}</span></button></span>{{/command}}{{#link}} <a class="button" href="{{link}}">{{label}}</a>{{/link}}</li>{{/hints}}</ul>{{/hasHints}}
        """#,
        "services": #"""
        {{<layout}}{{$main}}
        <h1>Services</h1>
        <div id="fresh" data-fresh>
        {{^hasServices}}<p class="note">No service yet. {{#isAdmin}}<a href="/new-service">Create one</a>, or run{{/isAdmin}}{{^isAdmin}}An admin makes one:{{/isAdmin}} <code>kinto service add NAME</code>.</p>{{/hasServices}}
        {{#hasServices}}
        <table class="cards">
        <caption class="hidden">Services and what is live</caption>
        <thead><tr><th scope="col">Service</th><th scope="col">State</th><th scope="col">Live</th><th scope="col">Last deploy</th><th scope="col">Address</th></tr></thead>
        <tbody>
        {{#services}}
        <tr>
        <th scope="row" data-label="Service"><a href="{{path}}">{{name}}</a>{{^production}} <a class="place-name" href="{{path}}">{{environment}}</a>{{/production}}{{#protected}} <span class="tag">protected</span>{{/protected}}{{#preview}} <span class="tag" title="until {{.}}">preview</span>{{/preview}}</th>
        <td data-label="State"><span class="state {{tone}}">{{state}}</span>{{#waits}}<div class="dim small">{{.}}</div>{{/waits}}{{#stopped}}<div class="small bad-text">deploys stopped</div>{{/stopped}}</td>
        <td data-label="Live">{{#live}}{{> _commit}}{{/live}}{{^live}}<span class="dim">nothing</span>{{/live}}</td>
        <td data-label="Last deploy">{{#last}}<a href="{{path}}">{{number}}</a> <span class="state {{tone}}">{{status}}</span> <time class="dim" datetime="{{iso}}" title="{{iso}}">{{ago}}</time>{{/last}}{{^last}}<span class="dim">never</span>{{/last}}</td>
        <td data-label="Address">{{#url}}<a href="{{.}}" rel="noreferrer">{{.}}</a>{{/url}}</td>
        </tr>
        {{/services}}
        </tbody>
        </table>
        {{/hasServices}}
        {{#server}}<p class="dim small">{{deploying}} deploying, {{queued}} queued{{#disk}} · <span title="as of {{measured}}">{{home}} on disk: artifacts {{artifacts}}, logs {{logs}}, caches {{caches}}, repositories {{repositories}}</span> · {{free}} free{{/disk}}</p>{{/server}}
        </div>
        {{/main}}{{/layout}}
        """#,
        "new-service": #"""
        {{<layout}}{{$main}}
        <h1>New service</h1>
        <form method="post" action="/new-service" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="name">Name</label><input id="name" name="name" required autocomplete="off" pattern="[a-z0-9]([a-z0-9\-]{0,61}[a-z0-9])?" aria-describedby="name-help"><p class="dim" id="name-help">Small letters, digits and hyphens.</p>
        <label for="repository">Repository</label><input id="repository" name="repository" autocomplete="off" aria-describedby="repository-help"><p class="dim" id="repository-help">A URL, or the path of a bare repository on the server. Empty: kinto makes one to push to.</p>
        <label for="branch">Branch</label><input id="branch" name="branch" value="main" required autocomplete="off">
        <div class="actions"><button class="main">Create</button></div></form>
        {{/main}}{{/layout}}
        """#,
        "created": #"""
        {{<layout}}{{$main}}
        <h1>{{name}} is there</h1>
        <dl class="facts">
        {{#remote}}<div><dt>Push to it</dt><dd><code>{{remote}}</code></dd></div>{{/remote}}
        {{#deployKey}}<div><dt>Deploy key</dt><dd><code>{{deployKey}}</code></dd></div>{{/deployKey}}
        <div><dt>Webhook</dt><dd><code>{{webhook}}</code></dd></div>
        <div><dt>Webhook secret</dt><dd><code>{{secret}}</code></dd></div>
        </dl>
        <p class="dim">The secret is shown only now.</p>
        <p><a class="button" href="{{path}}">To the service</a></p>
        {{/main}}{{/layout}}
        """#,
        "deliveries": #"""
        {{<layout}}{{$main}}
        <h1>Deliveries</h1>
        {{#replayed}}<p class="note" role="status">It was decided on again, by today's settings: the first row says what became of it.</p>{{/replayed}}
        <div id="fresh" data-fresh>
        {{^hasDeliveries}}<p class="note">No webhook was delivered yet.</p>{{/hasDeliveries}}
        {{#hasDeliveries}}
        <table class="cards">
        <caption class="hidden">Webhook deliveries, newest first</caption>
        <thead><tr><th scope="col">When</th><th scope="col">Service</th><th scope="col">Event</th><th scope="col">Verdict</th><th scope="col">Answer</th><th scope="col">Delivery</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>{{#deliveries}}<tr><td data-label="When"><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></td><td data-label="Service"><a href="{{path}}">{{service}}</a></td><td data-label="Event">{{provider}} {{event}} <code>{{reference}}</code></td><td data-label="Verdict">{{verdict}}</td><td data-label="Answer"><span class="state {{tone}}">{{answer}}</span></td><td data-label="Delivery"><code>{{identifier}}</code></td><td data-label="Actions" class="acts">{{#mayDeploy}}{{#replayable}}<form method="post" action="/deliveries/replay"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="service" value="{{service}}"><input type="hidden" name="delivery" value="{{identifier}}"><button>Replay<span class="hidden"> {{identifier}}</span></button></form>{{/replayable}}{{/mayDeploy}}</td></tr>{{/deliveries}}</tbody>
        </table>
        {{/hasDeliveries}}
        </div>
        {{/main}}{{/layout}}
        """#,
    ]
}
