import 'graphiql/setup-workers/vite';
import 'graphiql/style.css';
import '@graphiql/plugin-explorer/style.css';
import './playground.css';

import { DOC_EXPLORER_PLUGIN } from '@graphiql/plugin-doc-explorer';
import { explorerPlugin } from '@graphiql/plugin-explorer';
import { HISTORY_PLUGIN } from '@graphiql/plugin-history';
import { GraphiQL } from 'graphiql';
import { StrictMode, useState } from 'react';
import { createRoot } from 'react-dom/client';

import { askAs, authorization, demoAccounts, type Account } from './accounts';
import { groups } from './collection';
import { makeFetcher } from './fetcher';
import { collectionPlugin, Summary, tracePlugin } from './plugins';

const fetcher = makeFetcher();

async function ask(query: string): Promise<unknown> {
  const answer = await fetch('/graphql', {
    method: 'POST',
    headers: { 'Content-Type': 'application/json', ...(await authorization()) },
    body: JSON.stringify({ query }),
  });
  return ((await answer.json()) as { data: unknown }).data;
}

const plugins = [explorerPlugin({ showAttribution: false }), collectionPlugin(ask), tracePlugin, HISTORY_PLUGIN];

function Playground({ accounts }: { accounts: Account[] }) {
  const [account, setAccount] = useState<Account | null>(null);
  const [problem, setProblem] = useState('');

  const signIn = async (next: Account | null) => {
    setProblem('');
    try {
      await askAs(next);
      setAccount(next);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : String(error));
    }
  };
  return (
    <>
      <header className="bar">
        <a className="brand" href="/">
          TechMart
        </a>
        {accounts.length > 0 && (
          <div role="group" aria-label="Ask the graph as">
            <span>Ask as</span>
            <button type="button" aria-pressed={!account} onClick={() => void signIn(null)}>
              nobody
            </button>
            {accounts.map((a) => (
              <button key={a.email} type="button" aria-pressed={account?.email === a.email} title={a.email} onClick={() => void signIn(a)}>
                {a.role}
              </button>
            ))}
          </div>
        )}
        {problem && <p role="alert">{problem}</p>}
        <nav>
          <a href="/docs">Reference</a>
          <a href="/shop">Shop</a>
          <a href="/dev/mailbox">Mailbox</a>
        </nav>
      </header>
      <GraphiQL
        fetcher={fetcher}
        plugins={plugins}
        referencePlugin={DOC_EXPLORER_PLUGIN}
        defaultTabs={[{ query: groups[0]?.list[0]?.query ?? '' }]}
        shouldPersistHeaders={false}
        defaultEditorToolsVisibility="variables"
      >
        <GraphiQL.Logo>{null}</GraphiQL.Logo>
        <GraphiQL.Footer>
          <Summary />
        </GraphiQL.Footer>
      </GraphiQL>
    </>
  );
}

const place = document.getElementById('playground');
if (place) {
  const root = createRoot(place);
  void demoAccounts()
    .catch(() => [])
    .then((accounts) => root.render(<StrictMode><Playground accounts={accounts} /></StrictMode>));
}
