// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// By name. `layout` is around the others; what begins with `_` is a part.
    static let pages: [String: String] = [
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
        <body{{#live}} data-live{{/live}}>
        <a class="skip" href="#main">Skip to content</a>
        <header class="top">
        <a class="brand" href="/">kinto</a>
        {{#signedIn}}
        <nav aria-label="Main"><a href="/">Services</a><a href="/deliveries">Deliveries</a><a href="/new-service">New service</a></nav>
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
        <label for="token">API token</label>
        <input id="token" name="token" type="password" autocomplete="current-password" required autofocus aria-describedby="token-help">
        <p id="token-help" class="dim">The first start wrote one to <code>token</code> in the home. More: <code>kinto token create</code></p>
        <button class="main">Sign in</button>
        </form>
        </div>
        {{/main}}{{/layout}}
        """#,
        "failure": #"""
        {{<layout}}{{$main}}
        <h1>Not done</h1>
        {{> _failure}}
        <p><a href="/">Services</a></p>
        {{/main}}{{/layout}}
        """#,
        "_failure": #"""
        <div class="note bad" role="group" aria-label="Failure">
        <p><strong>{{message}}</strong> <code class="dim">{{code}}</code></p>
        {{#hasEvidence}}<pre class="evidence" tabindex="0" aria-label="Evidence">{{#evidence}}{{.}}
        {{/evidence}}</pre>{{/hasEvidence}}
        {{#hasHints}}<ul class="hints">{{#hints}}<li>{{text}}{{#command}} <code>{{command}}</code>{{/command}}{{#link}} <a class="button" href="{{link}}">{{label}}</a>{{/link}}</li>{{/hints}}</ul>{{/hasHints}}
        </div>
        """#,
        "services": #"""
        {{<layout}}{{$main}}
        <h1>Services</h1>
        <div id="fresh" data-fresh>
        {{^hasServices}}<p class="note">No service yet. <a href="/new-service">Create one</a>, or run <code>kinto service add NAME</code>.</p>{{/hasServices}}
        {{#hasServices}}
        <table class="cards">
        <caption class="hidden">Services and what is live</caption>
        <thead><tr><th scope="col">Service</th><th scope="col">State</th><th scope="col">Live</th><th scope="col">Last deploy</th><th scope="col">Waits</th><th scope="col">Address</th></tr></thead>
        <tbody>
        {{#services}}
        <tr>
        <th scope="row" data-label="Service"><a href="{{path}}">{{name}}</a> <span class="dim">{{environment}}</span></th>
        <td data-label="State"><span class="state {{tone}}">{{state}}</span></td>
        <td data-label="Live">{{#live}}<a href="{{path}}">{{number}}</a> <code>{{commit}}</code> {{subject}}{{/live}}{{^live}}<span class="dim">nothing</span>{{/live}}</td>
        <td data-label="Last deploy">{{#last}}<a href="{{path}}">{{number}}</a> <span class="state {{tone}}">{{status}}</span> <time datetime="{{iso}}" title="{{iso}}">{{ago}}</time>{{/last}}{{^last}}<span class="dim">never</span>{{/last}}</td>
        <td data-label="Waits">{{#waits}}<div>{{.}}</div>{{/waits}}{{^hasWaits}}<span class="dim">–</span>{{/hasWaits}}</td>
        <td data-label="Address">{{#url}}<a href="{{.}}" rel="noreferrer">{{.}}</a>{{/url}}</td>
        </tr>
        {{/services}}
        </tbody>
        </table>
        {{/hasServices}}
        </div>
        {{/main}}{{/layout}}
        """#,
        "service": #"""
        {{<layout}}{{$main}}
        <p class="path"><a href="/">Services</a></p>
        <h1>{{name}} <span class="dim">{{environment}}</span></h1>
        <div id="facts" data-fresh>
        <p><span class="state {{tone}}">{{state}}</span> {{#url}}<a href="{{.}}" rel="noreferrer">{{.}}</a>{{/url}}</p>
        {{#stopped}}<p class="note bad">Pushes are not deployed: {{stopped}}</p>{{/stopped}}
        <dl class="facts">
        <div><dt>Branch</dt><dd><code>{{branch}}</code></dd></div>
        <div><dt>Repository</dt><dd><code>{{repository}}</code></dd></div>
        {{#hasWaits}}<div><dt>Waits</dt><dd>{{#waits}}<div>{{.}}</div>{{/waits}}</dd></div>{{/hasWaits}}
        </dl>
        </div>
        <div class="actions">
        <form method="post" action="{{path}}/deploy"><input type="hidden" name="csrf" value="{{csrf}}"><button class="main">Trigger deploy</button></form>
        <a class="button" href="{{path}}/rollback">Roll back…</a>
        <a class="button" href="{{path}}/config">Configuration</a>
        </div>
        <h2>Releases</h2>
        <div id="releases" data-fresh>
        {{^hasReleases}}<p class="note">No release yet: push to <code>{{branch}}</code>.</p>{{/hasReleases}}
        {{#hasReleases}}
        <table class="cards">
        <caption class="hidden">Releases, newest first</caption>
        <thead><tr><th scope="col">Release</th><th scope="col">Status</th><th scope="col">Commit</th><th scope="col">By</th><th scope="col">Created</th><th scope="col">Took</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>
        {{#releases}}
        <tr>
        <th scope="row" data-label="Release"><a href="{{path}}">{{number}}</a></th>
        <td data-label="Status"><span class="state {{tone}}">{{status}}</span>{{#stage}} <span class="dim">{{stage}}</span>{{/stage}}</td>
        <td data-label="Commit"><code>{{commit}}</code> {{subject}} <span class="dim">{{author}}</span></td>
        <td data-label="By">{{trigger}}</td>
        <td data-label="Created"><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></td>
        <td data-label="Took">{{> _timeline}}</td>
        <td data-label="Actions" class="acts">{{#abort}}<form method="post" action="{{abort}}"><input type="hidden" name="csrf" value="{{csrf}}"><button>Abort<span class="hidden"> release {{number}}</span></button></form>{{/abort}}{{#rollback}}<a class="button" href="{{rollback}}">Roll back<span class="hidden"> to release {{number}}</span></a>{{/rollback}}</td>
        </tr>
        {{/releases}}
        </tbody>
        </table>
        {{/hasReleases}}
        </div>
        {{/main}}{{/layout}}
        """#,
        "_timeline": #"""
        {{#hasTimes}}<svg class="times" viewBox="0 0 120 8" width="120" height="8" role="img" aria-label="{{spoken}}"><title>{{spoken}}</title>{{#bars}}<rect class="{{kind}}" x="{{x}}" y="0" width="{{width}}" height="8"></rect>{{/bars}}</svg> <span class="took">{{took}}</span>{{/hasTimes}}{{^hasTimes}}<span class="dim">–</span>{{/hasTimes}}
        """#,
        "rollback": #"""
        {{<layout}}{{$main}}
        <p class="path"><a href="/">Services</a> / <a href="{{path}}">{{name}}</a></p>
        <h1>Roll back {{name}} to release {{number}}?</h1>
        <dl class="facts">
        {{#live}}<div><dt>Live now</dt><dd>release {{number}} <code>{{commit}}</code> {{subject}} <span class="dim">{{author}}</span></dd></div>{{/live}}
        <div><dt>Comes back</dt><dd>release {{number}} <code>{{commit}}</code> {{subject}} <span class="dim">{{author}}</span></dd></div>
        </dl>
        <h2>Configuration</h2>
        {{^hasDifference}}<p>The same variables with the same values.</p>{{/hasDifference}}
        {{#hasDifference}}<ul class="difference">{{#difference}}<li><code>{{.}}</code></li>{{/difference}}</ul><p class="dim">+ added, - gone, ~ changed, by this rollback. Values are not shown.</p>{{/hasDifference}}
        <p class="dim">A new release is made of the artifact that is kept: nothing is built.</p>
        <form method="post" action="{{path}}/rollback" class="stack"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="number" value="{{number}}">
        <label class="check"><input type="checkbox" name="current" value="1"> with today's configuration</label>
        <div class="actions"><button class="main">Roll back to release {{number}}</button> <a class="button" href="{{path}}">Leave it</a></div></form>
        {{/main}}{{/layout}}
        """#,
        "release": #"""
        {{<layout}}{{$main}}
        <p class="path"><a href="/">Services</a> / <a href="{{service}}">{{name}}</a> <span class="dim">{{environment}}</span></p>
        <h1>Release {{number}}</h1>
        {{#alreadyLive}}<div class="note" role="status"><p>Its commit is the newest of the branch and live already: nothing was deployed.</p><form method="post" action="{{service}}/deploy"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="force" value="1"><button>Deploy it all the same</button></form></div>{{/alreadyLive}}
        <div id="state" data-fresh aria-live="polite">
        <p><span class="state {{tone}}">{{status}}</span>{{#stage}} <span class="dim">at {{stage}}</span>{{/stage}} <code>{{commit}}</code> {{subject}} <span class="dim">{{author}}</span></p>
        {{#failure}}<h2>Why it failed{{#failedAt}} at {{failedAt}}{{/failedAt}}</h2>{{> _failure}}{{/failure}}
        <ol class="stages" aria-label="Stages">{{#stages}}<li class="{{kind}}"><span>{{stage}}</span> <span class="dim">{{time}}</span><span class="hidden"> {{word}}</span></li>{{/stages}}</ol>
        <dl class="facts">
        <div><dt>Trigger</dt><dd>{{trigger}}</dd></div>
        <div><dt>Branch</dt><dd><code>{{branch}}</code></dd></div>
        <div><dt>Created</dt><dd><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></dd></div>
        {{#swap}}<div><dt>Swap</dt><dd>{{swap}}</dd></div>{{/swap}}
        {{#instances}}<div><dt>{{name}}</dt><dd>{{port}}</dd></div>{{/instances}}
        </dl>
        <div class="actions">
        {{#abort}}<form method="post" action="{{abort}}"><input type="hidden" name="csrf" value="{{csrf}}"><button>Abort release {{number}}</button></form>{{/abort}}
        {{#rollback}}<a class="button" href="{{rollback}}">Roll back to this</a>{{/rollback}}
        </div>
        </div>
        {{#logs}}
        <section class="log" id="{{kind}}" aria-labelledby="{{kind}}-title" data-log="{{stream}}" data-after="{{after}}">
        <div class="bar"><h2 id="{{kind}}-title">{{heading}}</h2><button type="button" class="script" data-follow aria-pressed="true">Follow</button><button type="button" class="script" data-error>First error</button><a class="button" href="{{download}}">Download</a></div>
        {{#earlier}}<p class="dim">{{earlier}} earlier lines: see the download.</p>{{/earlier}}
        <div class="lines" tabindex="0" role="log" aria-label="{{heading}}" aria-live="off">{{#lines}}<div class="line{{#bad}} bad{{/bad}}" id="{{kind}}-{{id}}"><a class="n" href="#{{kind}}-{{id}}" tabindex="-1">{{id}}</a><span class="t">{{time}}</span><span class="x">{{#parts}}<span class="{{style}}">{{text}}</span>{{/parts}}</span></div>{{/lines}}</div>
        </section>
        {{/logs}}
        {{/main}}{{/layout}}
        """#,
        "config": #"""
        {{<layout}}{{$main}}
        <p class="path"><a href="/">Services</a> / <a href="{{path}}">{{name}}</a> <span class="dim">{{environment}}</span></p>
        <h1>Configuration</h1>
        <p class="dim">A change makes a new release of what is live, rolled out the same way. Values of secrets are never shown here.</p>
        {{#hasVariables}}
        <table class="cards">
        <caption class="hidden">Variables</caption>
        <thead><tr><th scope="col">Name</th><th scope="col">Value</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>{{#variables}}<tr><th scope="row" data-label="Name"><code>{{variable}}</code></th><td data-label="Value">{{#secret}}<span class="dim">secret ••••••</span>{{/secret}}{{^secret}}<code>{{value}}</code>{{/secret}}</td><td class="acts" data-label="Actions"><form method="post" action="{{path}}/config"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="unset" value="{{variable}}"><button>Unset<span class="hidden"> {{variable}}</span></button></form></td></tr>{{/variables}}</tbody>
        </table>
        {{/hasVariables}}
        {{^hasVariables}}<p class="note">No variable is set.</p>{{/hasVariables}}
        <h2>Set a variable</h2>
        <form method="post" action="{{path}}/config" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="variable">Name</label><input id="variable" name="variable" required autocomplete="off" spellcheck="false" pattern="[A-Za-z_][A-Za-z0-9_]*">
        <label for="value">Value</label><textarea id="value" name="value" rows="2" spellcheck="false"></textarea>
        <label class="check"><input type="checkbox" name="secret" value="1"> secret: sealed, never shown again</label>
        <div class="actions"><button class="main">Set</button></div></form>
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
        <div id="fresh" data-fresh>
        {{^hasDeliveries}}<p class="note">No webhook was delivered yet.</p>{{/hasDeliveries}}
        {{#hasDeliveries}}
        <table class="cards">
        <caption class="hidden">Webhook deliveries, newest first</caption>
        <thead><tr><th scope="col">When</th><th scope="col">Service</th><th scope="col">Event</th><th scope="col">Verdict</th><th scope="col">Answer</th><th scope="col">Delivery</th></tr></thead>
        <tbody>{{#deliveries}}<tr><td data-label="When"><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></td><td data-label="Service">{{service}}</td><td data-label="Event">{{provider}} {{event}} <code>{{reference}}</code></td><td data-label="Verdict">{{verdict}}</td><td data-label="Answer"><span class="state {{tone}}">{{answer}}</span></td><td data-label="Delivery"><code>{{identifier}}</code></td></tr>{{/deliveries}}</tbody>
        </table>
        {{/hasDeliveries}}
        </div>
        {{/main}}{{/layout}}
        """#,
    ]
}
