// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// A service, its environments, and the parts that its pages share.
    static let service: [String: String] = [
        "_place": #"""
        {{#place}}<div class="place">
        <p class="path"><a href="/">Services</a> / <a href="{{root}}">{{service}}</a> /</p>
        <nav class="switch" aria-label="Environments">{{#environments}}<a href="{{path}}"{{#current}} aria-current="true"{{/current}}>{{environment}}</a>{{/environments}}</nav>
        </div>
        <nav class="tabs" aria-label="{{service}} {{environment}}">{{#tabs}}<a href="{{path}}"{{#current}} aria-current="page"{{/current}}>{{label}}</a>{{/tabs}}<a href="{{root}}">Environments</a></nav>{{/place}}
        """#,
        "_commit": #"""
        <span class="commit"><a href="{{path}}">{{number}}</a> <code>{{commit}}</code> <span class="subject">{{subject}}</span> <span class="dim">{{author}}</span></span>
        """#,
        "_timeline": #"""
        {{#hasTimes}}<svg class="times" viewBox="0 0 120 8" width="120" height="8" role="img" aria-label="{{spoken}}"><title>{{spoken}}</title>{{#bars}}<rect class="{{kind}}" x="{{x}}" y="0" width="{{width}}" height="8"></rect>{{/bars}}</svg> <span class="took">{{took}}</span>{{/hasTimes}}{{^hasTimes}}<span class="dim">–</span>{{/hasTimes}}
        """#,
        "service": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <div class="head">
        <h1>{{name}}{{^production}} <span class="dim">{{environment}}</span>{{/production}}</h1>
        {{#mayDeploy}}<div class="actions">
        {{^protected}}<form method="post" action="{{path}}/deploy"><input type="hidden" name="csrf" value="{{csrf}}"><button class="main">Trigger deploy</button></form>
        <a class="button" href="{{path}}/deploy" title="A branch, a commit, without caches">Deploy…</a>{{/protected}}
        {{#protected}}<a class="button main" href="{{path}}/deploy">Deploy…</a>{{/protected}}
        {{#canRollBack}}<a class="button" href="{{path}}/rollback">Roll back…</a>{{/canRollBack}}
        {{#canPromote}}<a class="button" href="{{path}}/promote">Promote…</a>{{/canPromote}}
        </div>{{/mayDeploy}}
        </div>
        <div id="facts" data-fresh>
        <p class="lead"><span class="state {{tone}}">{{state}}</span>{{#protected}} <span class="tag">protected</span>{{/protected}}{{#preview}} <span class="tag" title="until {{.}}">preview</span>{{/preview}}{{#byHand}} <span class="tag">deployed by hand</span>{{/byHand}}{{#url}} <a href="{{.}}" rel="noreferrer">{{.}}</a>{{/url}}</p>
        {{#stopped}}<p class="note bad">Pushes are not deployed: {{stopped}}</p>{{/stopped}}
        {{#suspended}}<div class="note row"><p>Stopped by a person: nothing of it runs.</p>{{#mayDeploy}}<form method="post" action="{{path}}/resume"><input type="hidden" name="csrf" value="{{csrf}}"><button>Resume</button></form>{{/mayDeploy}}</div>{{/suspended}}
        {{#paused}}<div class="note row"><p>Paused: requests wait.</p>{{#mayDeploy}}<form method="post" action="{{path}}/unpause"><input type="hidden" name="csrf" value="{{csrf}}"><button>Let requests in</button></form>{{/mayDeploy}}</div>{{/paused}}
        {{#closed}}<div class="note row"><p>Closed for maintenance: visitors get 503.</p>{{#mayDeploy}}<form method="post" action="{{path}}/maintenance"><input type="hidden" name="csrf" value="{{csrf}}"><button>Open again</button></form>{{/mayDeploy}}</div>{{/closed}}
        <dl class="facts">
        {{#live}}<div><dt>Live</dt><dd>{{> _commit}}</dd></div>{{/live}}
        <div><dt>Deployed by</dt><dd>{{pattern}}</dd></div>
        <div><dt>Repository</dt><dd><code>{{repository}}</code></dd></div>
        {{#isSite}}<div><dt>Answers with</dt><dd>the files of the release <span class="dim">no process</span></dd></div>{{/isSite}}
        {{#hasInstances}}<div><dt>Instances</dt><dd>{{#instances}}<div>{{name}} <span class="dim">{{memory}}, {{port}}{{#restarts}}, {{restarts}}{{/restarts}}</span></div>{{/instances}}</dd></div>{{/hasInstances}}
        {{#hasWaits}}<div><dt>Now</dt><dd>{{#waits}}<div>{{.}}</div>{{/waits}}</dd></div>{{/hasWaits}}
        </dl>
        </div>
        {{#hasSchedules}}<h2>Schedules</h2>
        <div id="schedules" data-fresh>{{> _schedules}}
        <p><a href="{{cron}}">What ran</a></p></div>{{/hasSchedules}}
        {{> _traffic}}
        <h2 id="history">Releases</h2>
        <div id="releases" data-fresh>
        {{^hasReleases}}<p class="note">No release yet: push {{pattern}}.</p>{{/hasReleases}}
        {{#hasReleases}}
        <table class="cards">
        <caption class="hidden">Releases, newest first</caption>
        <thead><tr><th scope="col">Release</th><th scope="col">Status</th><th scope="col">Commit</th><th scope="col">By</th><th scope="col">Created</th><th scope="col">Took</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>
        {{#releases}}
        <tr>
        <th scope="row" data-label="Release"><a href="{{path}}">{{number}}</a></th>
        <td data-label="Status"><span class="state {{tone}}">{{status}}</span>{{#stage}} <span class="dim">{{stage}}</span>{{/stage}}</td>
        <td data-label="Commit"><code>{{commit}}</code> <span class="subject">{{subject}}</span> <span class="dim">{{author}}</span></td>
        <td data-label="By">{{trigger}}{{#by}} <span class="dim">{{by}}</span>{{/by}}</td>
        <td data-label="Created"><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></td>
        <td data-label="Took">{{> _timeline}}</td>
        <td data-label="Actions" class="acts">{{#mayDeploy}}{{#abort}}<form method="post" action="{{abort}}"><input type="hidden" name="csrf" value="{{csrf}}"><button>Abort<span class="hidden"> release {{number}}</span></button></form>{{/abort}}{{#rollback}}<a class="button" href="{{rollback}}">Roll back<span class="hidden"> to release {{number}}</span></a>{{/rollback}}{{/mayDeploy}}</td>
        </tr>
        {{/releases}}
        </tbody>
        </table>
        {{/hasReleases}}
        <p class="pages">{{#newest}}<a class="button" href="{{newest}}">Newest releases</a>{{/newest}} {{#older}}<a class="button" href="{{older}}">Older releases</a>{{/older}}</p>
        </div>
        {{/main}}{{/layout}}
        """#,
        "_traffic": #"""
        <section aria-labelledby="traffic-title" data-traffic="{{traffic}}">
        <h2 id="traffic-title">Requests</h2>
        {{#isExternal}}<p class="dim">Counted by kinto's own proxy only; this server uses another one.</p>{{/isExternal}}
        {{^isExternal}}<p class="legend script" data-legend></p>
        <div class="plots" data-plots></div>
        <details><summary>By minute</summary>
        <div id="minutes" data-fresh>
        {{^hasTraffic}}<p class="dim">None in the last ten minutes.</p>{{/hasTraffic}}
        {{#hasTraffic}}<table class="cards"><caption class="hidden">Requests of the last ten minutes by release</caption>
        <thead><tr><th scope="col">Minute (UTC)</th><th scope="col">Release</th><th scope="col">Requests</th><th scope="col">Errors</th><th scope="col">Half within</th><th scope="col">99 % within</th></tr></thead>
        <tbody>{{#minutes}}<tr><th scope="row" data-label="Minute (UTC)"><time datetime="{{iso}}">{{minute}}</time></th><td data-label="Release">{{release}}</td><td data-label="Requests">{{requests}}</td><td data-label="Errors">{{errors}}</td><td data-label="Half within">{{p50}}</td><td data-label="99 % within">{{p99}}</td></tr>{{/minutes}}</tbody></table>{{/hasTraffic}}
        </div></details>{{/isExternal}}
        </section>
        """#,
        "environments": #"""
        {{<layout}}{{$main}}
        <p class="path"><a href="/">Services</a> /</p>
        <h1>{{name}}</h1>
        <h2>Environments</h2>
        <div id="places" data-fresh>
        <table class="cards">
        <caption class="hidden">Environments of {{name}}</caption>
        <thead><tr><th scope="col">Environment</th><th scope="col">State</th><th scope="col">Live</th><th scope="col">Deployed by</th><th scope="col">Address</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>
        {{#places}}
        <tr>
        <th scope="row" data-label="Environment"><a href="{{path}}">{{environment}}</a></th>
        <td data-label="State"><span class="state {{tone}}">{{state}}</span></td>
        <td data-label="Live">{{#live}}{{> _commit}}{{/live}}{{^live}}<span class="dim">nothing</span>{{/live}}</td>
        <td data-label="Deployed by">{{pattern}}{{#protected}} <span class="tag">protected</span>{{/protected}}{{#byHand}} <span class="tag">by hand</span>{{/byHand}}</td>
        <td data-label="Address">{{#url}}<a href="{{.}}" rel="noreferrer">{{.}}</a>{{/url}}</td>
        <td data-label="Actions" class="acts">{{#mayDeploy}}{{#several}}{{#live}}<a class="button" href="{{promote}}">Promote…<span class="hidden"> {{environment}}</span></a>{{/live}}{{/several}}{{/mayDeploy}} <a class="button" href="{{path}}/settings">Settings<span class="hidden"> of {{environment}}</span></a></td>
        </tr>
        {{/places}}
        </tbody>
        </table>
        </div>
        {{#isAdmin}}<h2>Add an environment</h2>
        <form method="post" action="{{path}}" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="environment">Name</label><input id="environment" name="environment" required autocomplete="off" spellcheck="false" aria-describedby="environment-help"><p class="dim" id="environment-help">Small letters, digits and hyphens: <code>staging</code>. It has releases, configuration and an address of its own.</p>
        {{> _pattern}}
        <label class="check"><input type="checkbox" name="auto" value="1" checked> pushes deploy it</label>
        <label class="check"><input type="checkbox" name="protect" value="1"> protected: deployed by a promotion, or by hand with its name typed</label>
        <div class="actions"><button class="main">Add environment</button></div></form>
        <h2>Remove {{name}}</h2>
        <details class="danger"><summary>Remove this service…</summary>
        <form method="post" action="/remove-service/{{name}}" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <p>All environments are stopped, and releases, configuration, logs and artifacts are removed. A repository that kinto made goes with it; one that you gave stays. It cannot be taken back.</p>
        <label for="remove">Type <code>{{name}}</code> to remove it</label><input id="remove" name="confirm" required autocomplete="off" spellcheck="false">
        <div class="actions"><button class="danger">Remove {{name}}</button></div></form></details>{{/isAdmin}}
        {{/main}}{{/layout}}
        """#,
        "_pattern": #"""
        <label for="branch">Branch or tags</label><input id="branch" name="branch" value="{{branch}}" autocomplete="off" spellcheck="false" aria-describedby="branch-help"><p class="dim" id="branch-help"><code>main</code>, <code>feature/*</code>, <code>release/**</code>, <code>tags/v*</code>. Empty: the branch of its name.</p>
        """#,
    ]
}
