// Writes the reference: a page for each domain.
import { print } from 'graphql';
import { domains } from './domains.mjs';
import { named } from './schema.mjs';

const ROOTS = { queries: 'Query', mutations: 'Mutation', subscriptions: 'Subscription' };
const TITLES = {
  queries: 'Queries', mutations: 'Mutations', subscriptions: 'Subscriptions', types: 'Types', interfaces: 'Interfaces', unions: 'Unions',
  inputs: 'Inputs', enums: 'Enums', scalars: 'Scalars', directives: 'Directives',
};

const escape = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;').replaceAll('{', '&#123;').replaceAll('}', '&#125;').replaceAll('|', '&#124;').replaceAll('_', '&#95;').replaceAll('*', '&#42;').replaceAll('[', '&#91;').replaceAll(']', '&#93;');
// Descriptions have code in back quotes, and nothing else of Markdown.
const prose = (node) => (node.description?.value ?? '').replaceAll('\n', ' ').split('`').map((part, i) => (i % 2 ? `<code>${escape(part)}</code>` : escape(part))).join('');
const directive = (node, name) => node.directives?.find((d) => d.name.value === name);
const argument = (d, name) => d?.arguments.find((a) => a.name.value === name)?.value;
const badge = (kind, text, title) => `<span class="badge ${kind}" title="${escape(title)}">${escape(text)}</span>`;

/** A reference's pages as Markdown, by name; examples are those of each root field. */
export function writeReference({ pages, home, usedBy }, examples) {
  const anchor = (name, field) => (field ? `${name}.${field}` : name).toLowerCase().replaceAll('.', '-');
  const address = (name, field) => `./${home.get(name)}#${anchor(name, field)}`;

  const typeLink = (type) => {
    if (type.kind === 'NonNullType') return `${typeLink(type.type)}!`;
    if (type.kind === 'ListType') return `&#91;${typeLink(type.type)}&#93;`;
    const name = type.name.value;
    return home.has(name) ? `<a href="${address(name)}">${escape(name)}</a>` : escape(name);
  };

  const badges = (node) => {
    const list = [];
    const scopes = argument(directive(node, 'requiresScopes'), 'scopes');
    if (scopes) list.push(badge('scope', scopes.values.map((all) => all.values.map((s) => s.value).join(' and ')).join(' or '), 'The access token or API key needs this scope.'));
    if (directive(node, 'authenticated')) list.push(badge('auth', 'signed in', 'Only a signed-in viewer may use this.'));
    const cost = argument(directive(node, 'cost'), 'weight');
    if (cost) list.push(badge('cost', `cost ${cost.value}`, 'What one use of this costs.'));
    const size = directive(node, 'listSize');
    if (size && !argument(size, 'slicingArguments')) list.push(badge('list', `about ${argument(size, 'assumedSize')?.value}`, 'How many items the cost is reckoned with.'));
    const gone = directive(node, 'deprecated');
    if (gone) list.push(badge('deprecated', 'deprecated', argument(gone, 'reason')?.value ?? ''), `<span class="reason">${escape(argument(gone, 'reason')?.value ?? '')}</span>`);
    return list.length > 0 ? ` <span class="badges">${list.join(' ')}</span>` : '';
  };

  const row = (owner, f, nested = '') => {
    const id = anchor(owner, f.name.value);
    const more = f.from ? ` <span class="badges">${badge('from', `of ${domains.find(([n]) => n === f.from)[1]}`, 'Which domain adds this.')}</span>` : '';
    const standard = f.defaultValue ? ` = ${escape(print(f.defaultValue))}` : '';
    return `<tr id="${id}"><td><a class="at" href="#${id}"><code>${escape(f.name.value)}</code></a></td><td class="type"><code>${typeLink(f.type)}${standard}</code></td><td>${prose(f)}${badges(f)}${more}${nested}</td></tr>`;
  };
  const table = (rows, head) => `<table class="fields" v-pre><thead><tr>${head.map((h) => `<th>${h}</th>`).join('')}</tr></thead><tbody>\n${rows.join('\n')}\n</tbody></table>\n`;
  const parameters = (owner, f) => table(f.arguments.map((a) => row(`${owner}.${f.name.value}`, a)), ['Argument', 'Type', 'Meaning']);
  const nestedArguments = (f) => (f.arguments?.length
    ? `<ul class="arguments">${f.arguments.map((a) => `<li><code>${escape(a.name.value)}: ${typeLink(a.type)}${a.defaultValue ? ` = ${escape(print(a.defaultValue))}` : ''}</code> ${prose(a)}</li>`).join('')}</ul>` : '');

  const operation = (section, f) => {
    const root = ROOTS[section];
    const shown = examples.get(`${root}.${f.name.value}`) ?? [];
    return [
      `### ${f.name.value} {#${anchor(root, f.name.value)}}`, '',
      `<p v-pre>${prose(f)}${badges(f)}</p>`, '',
      f.arguments.length > 0 ? parameters(root, f) : '',
      `<p class="answers" v-pre>Answers <code>${typeLink(f.type)}</code></p>`, '',
      shown.length > 0 ? `Tried in: ${shown.map((e) => `[${e.title}](../examples/${e.group}#${e.name})`).join(', ')}` : '', '',
    ].join('\n');
  };

  const users = (name) => {
    const list = usedBy.get(name) ?? [];
    if (list.length === 0 || list.length > 40) return '';
    return `<details class="used" v-pre><summary>Used by ${list.length}</summary>${list.map((u) => `<a href="${fieldAddress(u)}"><code>${escape(`${u.owner}.${u.field}`)}</code></a>`).join(' ')}</details>\n`;
  };
  const roots = new Map();
  for (const page of pages) for (const [section, root] of Object.entries(ROOTS)) for (const f of page[section]) roots.set(`${root}.${f.name.value}`, page.domain);
  const fieldAddress = ({ owner, field }) => {
    const of = roots.get(`${owner}.${field}`);
    return of ? `./${of}#${anchor(owner, field)}` : address(owner, field);
  };

  const definition = (section, node) => {
    const name = node.name.value;
    const parts = [`### ${section === 'directives' ? '@' : ''}${name} {#${section === 'directives' ? 'directive-' : ''}${anchor(name)}}`, ''];
    const is = (node.interfaces ?? []).map((i) => `<a href="${address(i.name.value)}">${escape(i.name.value)}</a>`).join(', ');
    parts.push(`<p v-pre>${prose(node)}${badges(node)}${is ? ` <span class="is">is a ${is}</span>` : ''}</p>`, '');
    const fields = [...(node.fields ?? []), ...(node.added ?? [])].filter((f) => !f.name.value.startsWith('_'));
    if (fields.length > 0) parts.push(table(fields.map((f) => row(name, f, nestedArguments(f))), ['Field', 'Type', 'Meaning']));
    if (node.values) {
      parts.push(table(node.values.map((v) => {
        const id = anchor(name, v.name.value);
        return `<tr id="${id}"><td><a class="at" href="#${id}"><code>${escape(v.name.value)}</code></a></td><td>${prose(v)}${badges(v)}</td></tr>`;
      }), ['Value', 'Meaning']));
    }
    if (node.types) parts.push(`<p v-pre>One of ${node.types.map((t) => `<a href="${address(named(t))}">${escape(named(t))}</a>`).join(', ')}.</p>`, '');
    if (section === 'directives' && node.arguments?.length) parts.push(table(node.arguments.map((a) => row(`directive.${name}`, a)), ['Argument', 'Type', 'Meaning']));
    parts.push(users(name));
    return parts.join('\n');
  };

  const hidden = (node) => node.name.value.startsWith('_') || directive(node, 'inaccessible') || ['link', 'key', 'shareable', 'tag', 'inaccessible', 'composeDirective'].includes(node.name.value);
  return new Map(pages.map((page) => {
    const [, title, about] = domains.find(([name]) => name === page.domain);
    const text = [`---\noutline: [2, 3]\n---\n# ${title}\n\n${about}\n`];
    for (const [section, heading] of Object.entries(TITLES)) {
      const list = page[section].filter((node) => !hidden(node));
      if (list.length === 0) continue;
      text.push(`## ${heading} {#${section}}\n`, ...list.map((node) => (ROOTS[section] ? operation(section, node) : definition(section, node))));
    }
    return [page.domain, text.join('\n')];
  }));
}
