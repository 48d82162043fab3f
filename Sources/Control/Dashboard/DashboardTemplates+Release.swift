// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// A release with its logs.
    static let release: [String: String] = [
        "release": #"""
        {{<layout}}{{$main}}
        {{> _place}}
        <h1>Release {{number}}</h1>
        {{#alreadyLive}}<div class="note" role="status"><p>Its commit is the newest of the branch and live already: nothing was deployed.</p>{{#mayDeploy}}<form method="post" action="{{service}}/deploy"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="force" value="1"><button>Deploy it all the same</button></form>{{/mayDeploy}}</div>{{/alreadyLive}}
        <div id="state" data-fresh aria-live="polite">
        <p><span class="state {{tone}}">{{status}}</span>{{#stage}} <span class="dim">at {{stage}}</span>{{/stage}} <code>{{commit}}</code> {{subject}} <span class="dim">{{author}}</span></p>
        {{#failure}}<h2>Why it failed{{#failedAt}} at {{failedAt}}{{/failedAt}}</h2>{{> _failure}}{{/failure}}
        {{#hasWarnings}}<h2>Warned before its build</h2>{{#warnings}}<div class="note" role="group" aria-label="Warning">
        {{> _finding}}
        </div>{{/warnings}}{{/hasWarnings}}
        <ol class="stages" aria-label="Stages">{{#stages}}<li class="{{kind}}"><span>{{stage}}</span> <span class="dim">{{time}}{{#usual}}, usually {{usual}}{{/usual}}</span><span class="hidden"> {{word}}</span></li>{{/stages}}</ol>
        <dl class="facts">
        <div><dt>Trigger</dt><dd>{{trigger}}</dd></div>
        {{#by}}<div><dt>Asked by</dt><dd>{{by}}</dd></div>{{/by}}
        <div><dt>Branch</dt><dd><code>{{branch}}</code></dd></div>
        <div><dt>Created</dt><dd><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></dd></div>
        {{#swap}}<div><dt>Swap</dt><dd>{{swap}}</dd></div>{{/swap}}
        {{#instances}}<div><dt>{{name}}</dt><dd>{{port}}</dd></div>{{/instances}}
        {{#hasConsoles}}<div><dt>Console logs</dt><dd><nav class="switch" aria-label="Console logs">{{#consoles}}<a href="{{path}}"{{#current}} aria-current="true"{{/current}}>{{name}}</a> {{/consoles}}</nav></dd></div>{{/hasConsoles}}
        </dl>
        <div class="actions">
        {{#mayDeploy}}
        {{#abort}}<form method="post" action="{{abort}}"><input type="hidden" name="csrf" value="{{csrf}}"><button>Abort release {{number}}</button></form>{{/abort}}
        {{#rollback}}<a class="button" href="{{rollback}}">Roll back to this</a>{{/rollback}}
        {{/mayDeploy}}
        </div>
        </div>
        {{#noError}}<p class="note" role="status">No line of the log looks like an error.</p>{{/noError}}
        {{#logs}}
        <section class="log" id="{{kind}}" aria-labelledby="{{kind}}-title"{{#stream}} data-log="{{stream}}"{{/stream}} data-after="{{after}}" data-mark="{{mark}}" data-page="{{jump}}">
        <div class="bar"><h2 id="{{kind}}-title">{{heading}}</h2>
        <form class="find" role="search" aria-label="Search the {{heading}}" method="get" action="{{page}}#{{kind}}"><input type="hidden" name="in" value="{{kind}}">{{#process}}<input type="hidden" name="process" value="{{process}}">{{/process}}<input type="search" name="find" value="{{wanted}}" aria-label="Search the {{heading}}" placeholder="Search" autocomplete="off" spellcheck="false"><output class="script" aria-live="polite"></output><button{{#isWhole}} class="noscript"{{/isWhole}}>{{^isWhole}}Whole log{{/isWhole}}{{#isWhole}}Search{{/isWhole}}</button></form>
        {{#stream}}<button type="button" class="script" data-follow aria-pressed="true">Follow</button>{{/stream}}<a class="button" data-error href="{{error}}">First error</a><a class="button" href="{{download}}">Download</a></div>
        {{#searched}}{{^hasFound}}<p class="note" role="status">Nothing found of “{{wanted}}”.</p>{{/hasFound}}{{#hasFound}}<h3 id="{{kind}}-found">Found{{#many}}: the first {{many}}{{/many}}</h3><ol class="found" aria-labelledby="{{kind}}-found">{{#found}}<li><a href="{{path}}">{{id}}</a><span>{{text}}</span></li>{{/found}}</ol>{{/hasFound}}{{/searched}}
        {{#gone}}<p class="dim">The first {{gone}} lines are not kept any more.</p>{{/gone}}
        {{#earlier}}<p class="pages"><a class="button" href="{{path}}">{{count}} earlier lines</a></p>{{/earlier}}
        <div class="lines" tabindex="0" role="log" aria-label="{{heading}}" aria-live="off">{{#lines}}<div class="line{{#bad}} bad{{/bad}}" id="{{mark}}{{id}}"><a class="n" href="#{{mark}}{{id}}" tabindex="-1">{{id}}</a><span class="t">{{time}}</span><span class="x">{{#parts}}<span class="{{style}}">{{text}}</span>{{/parts}}</span></div>{{/lines}}</div>
        {{#later}}<p class="pages"><a class="button" href="{{path}}">{{count}} later lines</a> <a class="button" href="{{end}}">To the end</a></p>{{/later}}
        </section>
        {{/logs}}
        {{/main}}{{/layout}}
        """#
    ]
}
