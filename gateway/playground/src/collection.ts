// The worked queries: one file each in collection/, in the folder of those who need it. The first lines, comments, tell
// what it is for; "# variables:" gives its variables, in which {{names}} are filled in from the shop's own data.

/** Worked is one worked query. */
export interface Worked {
  name: string;
  about: string;
  query: string;
  variables: string;
}

/** Group is the queries of one kind of user. */
export interface Group {
  title: string;
  list: Worked[];
}

const titles: Record<string, string> = {
  '1-shop': 'I build a front end',
  '2-customer': 'I build an app for customers',
  '3-staff': 'I build tools for staff',
  '4-integrator': 'I integrate a system',
};

const files = import.meta.glob<string>('./collection/*/*.graphql', { query: '?raw', import: 'default', eager: true });

/** groups is all worked queries. */
export const groups: Group[] = Object.entries(titles).map(([folder, title]) => ({
  title,
  list: Object.keys(files)
    .filter((path) => path.includes(`/${folder}/`))
    .sort()
    .map((path) => parse(files[path] ?? '')),
}));

function parse(text: string): Worked {
  const lines = text.trimEnd().split('\n');
  const marked = '# variables: ';
  const name = (lines[0] ?? '').replace(/^# /, '');
  const about: string[] = [];
  let variables = '';
  let i = 1;
  for (; lines[i]?.startsWith('#'); i++) {
    const line = lines[i] ?? '';
    if (line.startsWith(marked)) {
      variables = JSON.stringify(JSON.parse(line.slice(marked.length)), null, 2);
    } else {
      about.push(line.replace(/^# ?/, ''));
    }
  }
  return { name, about: about.join(' '), query: lines.filter((line) => !line.startsWith(marked)).join('\n') + '\n', variables };
}

// Where the values of {{names}} come from.
const sources: Record<string, { query: string; pick: (data: never) => string | undefined }> = {
  variantId: {
    query: '{ products(first: 1, where: { available: true }) { nodes { variants(first: 1) { id } } } }',
    pick: (data: { products: { nodes: { variants: { id: string }[] }[] } }) => data.products.nodes[0]?.variants[0]?.id,
  },
  slug: {
    query: '{ products(first: 1, where: { available: true }) { nodes { slug } } }',
    pick: (data: { products: { nodes: { slug: string }[] } }) => data.products.nodes[0]?.slug,
  },
  orderId: {
    query: '{ me { orders(first: 1) { nodes { id } } } }',
    pick: (data: { me: { orders: { nodes: { id: string }[] } } | null }) => data.me?.orders.nodes[0]?.id,
  },
};

/** fill puts the shop's own data into the variables of a query. What there is none of stays as it is. */
export async function fill(variables: string, ask: (query: string) => Promise<unknown>): Promise<string> {
  let filled = variables.replaceAll('{{key}}', () => crypto.randomUUID());
  for (const [name, source] of Object.entries(sources)) {
    if (!filled.includes(`{{${name}}}`)) {
      continue;
    }
    const value = source.pick((await ask(source.query)) as never);
    if (value) {
      filled = filled.replaceAll(`{{${name}}}`, value);
    }
  }
  return filled;
}
