// Builds the pages at /docs into .build/dist: guides, examples, and the reference of the schema.
import { cpSync, existsSync, mkdirSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'vitepress';
import { domains, guides } from './domains.mjs';
import { byRoot, readExamples, writeExamples } from './examples.mjs';
import { writeReference } from './reference.mjs';
import { readSchema } from './schema.mjs';

const here = new URL('.', import.meta.url).pathname;
const docs = join(here, '..');
const pages = join(here, '.build/pages');
const write = (name, text) => writeFileSync(join(pages, name), text);

rmSync(join(here, '.build'), { recursive: true, force: true });
for (const dir of ['guides', 'reference', 'examples', 'decisions']) mkdirSync(join(pages, dir), { recursive: true });

// Guides link to files of the repository, which are not here: those links become text.
const local = (text, known) => text.replace(/\[([^\]]+)\]\((?!https?:|#)([^)\s]+)\)/g, (link, label, to) => (known(to) ? link : label));
const names = readdirSync(docs).filter((f) => f.endsWith('.md'));
const records = readdirSync(join(docs, 'adr')).filter((f) => /^\d.*\.md$/.test(f));
const mustache = (text) => text.replaceAll('{{', '&#123;&#123;');
for (const name of names) {
  const text = readFileSync(join(docs, name), 'utf8')
    .replaceAll('](adr/README.md)', '](../decisions/index.md)').replaceAll('](adr/', '](../decisions/').replace(/<!--.*?-->\n?/gs, '');
  write(`guides/${name}`, local(mustache(text), (to) => names.includes(to.split('#')[0]) || to.startsWith('../decisions/')));
}
const titleOf = (file) => /^# (.*)$/m.exec(readFileSync(file, 'utf8'))?.[1] ?? file;
for (const name of records) {
  write(`decisions/${name}`, local(mustache(readFileSync(join(docs, 'adr', name), 'utf8')).replaceAll('](../', '](../guides/'),
    (to) => records.includes(to.split('#')[0]) || names.includes(to.replace('../guides/', '').split('#')[0])));
}
write('decisions/index.md', `# Decisions\n\nWhy things are as they are, one page each.\n\n${records.map((r) => `- [${titleOf(join(docs, 'adr', r))}](./${r})`).join('\n')}\n`);

const schema = readSchema(join(docs, '../graph/schema'));
const groups = readExamples(join(docs, 'examples'));
for (const [name, text] of writeReference(schema, byRoot(groups))) write(`reference/${name}.md`, text);
for (const group of groups) write(`examples/${group.group}.md`, writeExamples(group));

const listed = (list) => list.filter((n) => names.includes(`${n}.md`)).map((n) => ({ text: titleOf(join(docs, `${n}.md`)), link: `/guides/${n}` }));
const mentioned = new Set(guides.flatMap(([, list]) => list));
const reference = schema.pages.map((p) => ({ text: domains.find(([n]) => n === p.domain)[1], link: `/reference/${p.domain}` }));
const examples = groups.map((g) => ({ text: g.title, link: `/examples/${g.group}` }));
const sidebar = [
  ...guides.slice(0, 1).map(([text, list]) => ({ text, items: listed(list) })),
  { text: 'Reference', items: reference },
  { text: 'Examples', items: examples },
  ...guides.slice(1).map(([text, list]) => ({ text, collapsed: true, items: listed(list) })),
  { text: 'More', collapsed: true, items: [...listed(names.map((n) => n.replace('.md', '')).filter((n) => !mentioned.has(n))), { text: 'Decisions', link: '/decisions/' }] },
].filter((group) => group.items.length > 0);
const count = (section) => schema.pages.reduce((n, p) => n + p[section].length, 0);
write('index.md', `---
layout: home
hero:
  name: TechMart
  text: The graph, and how to use it
  tagline: ${count('queries') + count('mutations') + count('subscriptions')} operations and ${count('types')} types in ${schema.pages.length} domains; every example was run.
  actions:
    - { theme: brand, text: Browse the reference, link: ${reference[0].link} }
    - { theme: alt, text: Start from examples, link: ${examples[0].link} }
features:
${domains.filter(([n]) => n !== 'common' && schema.pages.some((p) => p.domain === n)).map(([n, title, about]) => `  - { title: ${JSON.stringify(title)}, details: ${JSON.stringify(about.replaceAll('`', ''))}, link: /reference/${n} }`).join('\n')}
---
`);
writeFileSync(join(here, '.build/sidebar.json'), JSON.stringify(sidebar));

await build(here);

// The policy of the pages allows no script in them: what VitePress puts there goes into a file.
const dist = join(here, '.build/dist');
const inline = new Map();
const htmls = readdirSync(dist, { recursive: true }).filter((f) => f.endsWith('.html'));
for (const file of htmls) {
  const text = readFileSync(join(dist, file), 'utf8').replace(/<script id="([\w-]+)">([\s\S]*?)<\/script>/g, (_, id, code) => {
    inline.set(id, code);
    return `<script src="/docs/assets/${id}.js"></script>`;
  });
  writeFileSync(join(dist, file), text);
}
for (const [id, code] of inline) writeFileSync(join(dist, `assets/${id}.js`), code);
for (const name of ['hashmap.json', 'vp-icons.css']) if (existsSync(join(dist, name)) && name === 'hashmap.json') rmSync(join(dist, name));
cpSync(join(here, 'icon.svg'), join(dist, 'icon.svg'));
