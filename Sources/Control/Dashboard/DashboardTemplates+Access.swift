// SPDX-License-Identifier: Apache-2.0

extension DashboardTemplates {
    /// Accounts and the audit log.
    static let access: [String: String] = [
        "account": #"""
        {{<layout}}{{$main}}
        <h1>{{who}}</h1>
        <dl class="facts">
        <div><dt>Role</dt><dd>{{role}}</dd></div>
        <div><dt>Signed in</dt><dd>{{#isUser}}with a password{{/isUser}}{{^isUser}}with an API token{{/isUser}}</dd></div>
        </dl>
        <p class="dim">A viewer reads everything but secrets; a deployer also changes what runs; an admin may do all.</p>
        {{#isUser}}
        <h2>Change the password</h2>
        <form method="post" action="/account/password" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="old">Password now</label><input id="old" name="old" type="password" autocomplete="current-password" required>
        <label for="new">New password</label><input id="new" name="new" type="password" autocomplete="new-password" minlength="12" required aria-describedby="new-help"><p class="dim" id="new-help">At least 12 characters. All sessions end, this one too.</p>
        <div class="actions"><button class="main">Change</button></div></form>
        {{/isUser}}
        {{/main}}{{/layout}}
        """#,
        "accounts": #"""
        {{<layout}}{{$main}}
        <h1>Accounts</h1>
        {{#made}}<div class="note" role="status"><p>Token <strong>{{name}}</strong> ({{role}}), shown only now:</p><p><code>{{token}}</code></p></div>{{/made}}
        <h2>Users</h2>
        {{^hasUsers}}<p class="note">Nobody signs in with a password yet.</p>{{/hasUsers}}
        {{#hasUsers}}
        <table class="cards">
        <caption class="hidden">Users</caption>
        <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Last sign-in</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>{{#users}}<tr><th scope="row" data-label="Name">{{name}}</th><td data-label="Role">{{role}}</td><td data-label="Last sign-in">{{#last}}<time datetime="{{iso}}" title="{{iso}}">{{ago}}</time>{{/last}}{{^last}}<span class="dim">never</span>{{/last}}</td><td class="acts" data-label="Actions"><form method="post" action="/accounts/users/remove"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="name" value="{{name}}"><button>Remove<span class="hidden"> user {{name}}</span></button></form></td></tr>{{/users}}</tbody>
        </table>
        {{/hasUsers}}
        <h3>Add a user, or set one anew</h3>
        <form method="post" action="/accounts/users" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="user-name">User name</label><input id="user-name" name="name" required autocomplete="off" autocapitalize="none" spellcheck="false">
        <label for="user-role">Role of the user</label><select id="user-role" name="role"><option>viewer</option><option>deployer</option><option>admin</option></select>
        <label for="user-password">Password</label><input id="user-password" name="password" type="password" minlength="12" autocomplete="new-password" aria-describedby="password-help"><p class="dim" id="password-help">At least 12 characters. Of a user who is there already: empty keeps it, and the role is changed.</p>
        <div class="actions"><button class="main">Save the user</button></div></form>
        <h2>API tokens</h2>
        {{^hasTokens}}<p class="note">There is none.</p>{{/hasTokens}}
        {{#hasTokens}}
        <table class="cards">
        <caption class="hidden">API tokens</caption>
        <thead><tr><th scope="col">Name</th><th scope="col">Role</th><th scope="col">Last used</th><th scope="col"><span class="hidden">Actions</span></th></tr></thead>
        <tbody>{{#tokens}}<tr><th scope="row" data-label="Name">{{name}}</th><td data-label="Role">{{role}}</td><td data-label="Last used">{{#last}}<time datetime="{{iso}}" title="{{iso}}">{{ago}}</time>{{/last}}{{^last}}<span class="dim">never</span>{{/last}}</td><td class="acts" data-label="Actions"><form method="post" action="/accounts/tokens/remove"><input type="hidden" name="csrf" value="{{csrf}}"><input type="hidden" name="name" value="{{name}}"><button>Remove<span class="hidden"> token {{name}}</span></button></form></td></tr>{{/tokens}}</tbody>
        </table>
        {{/hasTokens}}
        <h3>Add a token</h3>
        <form method="post" action="/accounts/tokens" class="stack"><input type="hidden" name="csrf" value="{{csrf}}">
        <label for="token-name">Token name</label><input id="token-name" name="name" required autocomplete="off" autocapitalize="none" spellcheck="false">
        <label for="token-role">Role of the token</label><select id="token-role" name="role"><option>viewer</option><option>deployer</option><option>admin</option></select>
        <div class="actions"><button class="main">Add the token</button></div></form>
        {{/main}}{{/layout}}
        """#,
        "audit": #"""
        {{<layout}}{{$main}}
        <h1>Audit log</h1>
        <form method="get" action="/audit" class="actions">
        <label for="who">Who</label> <input id="who" name="who" value="{{askedWho}}" autocomplete="off" spellcheck="false">
        <label for="service">Service</label> <input id="service" name="service" value="{{askedService}}" autocomplete="off" spellcheck="false">
        <button>Show</button></form>
        {{^hasEntries}}<p class="note">Nothing of that kind was done.</p>{{/hasEntries}}
        {{#hasEntries}}
        <table class="cards">
        <caption class="hidden">Who did what, newest first</caption>
        <thead><tr><th scope="col">When</th><th scope="col">Who</th><th scope="col">By</th><th scope="col">Action</th><th scope="col">What</th><th scope="col">Result</th></tr></thead>
        <tbody>{{#entries}}<tr><td data-label="When"><time datetime="{{iso}}" title="{{iso}}">{{ago}}</time></td><td data-label="Who">{{entryWho}} <span class="dim">{{entryRole}}</span></td><td data-label="By">{{door}}</td><td data-label="Action">{{action}}</td><td data-label="What">{{target}} <span class="dim">{{what}}</span></td><td data-label="Result"><span class="state {{tone}}">{{result}}</span></td></tr>{{/entries}}</tbody>
        </table>
        {{#older}}<p><a class="button" href="{{older}}">Older</a></p>{{/older}}
        {{/hasEntries}}
        {{/main}}{{/layout}}
        """#,
    ]
}
