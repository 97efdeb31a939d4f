import { useGraphiQL, useGraphiQLActions, type GraphiQLPlugin } from '@graphiql/react';
import { Kind, parse } from 'graphql';
import { useSyncExternalStore } from 'react';

import { lastAnswer, subscribe, type Answer, type Span } from './answers';
import { fill, groups, type Worked } from './collection';

/** Ask runs a query as the account that is signed in, and gives its data. */
export type Ask = (query: string) => Promise<unknown>;

/** collectionPlugin shows the worked queries; one click opens one in a tab of its own. */
export function collectionPlugin(ask: Ask): GraphiQLPlugin {
  return { title: 'Worked queries', icon: BookIcon, content: () => <Collection ask={ask} /> };
}

function Collection({ ask }: { ask: Ask }) {
  const { addTab, setOperationFacts } = useGraphiQLActions();
  const queryEditor = useGraphiQL((state) => state.queryEditor);
  const variableEditor = useGraphiQL((state) => state.variableEditor);
  const open = async (worked: Worked) => {
    const variables = await fill(worked.variables, ask).catch(() => worked.variables);
    if (queryEditor?.getValue().trim()) {
      addTab();
    }
    queryEditor?.setValue(worked.query);
    variableEditor?.setValue(variables);
    // The editor finds out what is to be run a moment after the last key; a click on Run may be faster.
    const documentAST = parse(worked.query);
    const operations = documentAST.definitions.filter((d) => d.kind === Kind.OPERATION_DEFINITION);
    setOperationFacts({ documentAST, operations, operationName: operations[0]?.name?.value });
  };
  return (
    <section className="collection">
      <h2>Worked queries</h2>
      {groups.map((group) => (
        <div key={group.title}>
          <h3>{group.title}</h3>
          <ul>
            {group.list.map((worked) => (
              <li key={worked.name}>
                <button type="button" onClick={() => void open(worked)}>
                  <strong>{worked.name}</strong>
                  <span>{worked.about}</span>
                </button>
              </li>
            ))}
          </ul>
        </div>
      ))}
    </section>
  );
}

/** tracePlugin shows what the last answer cost, and what its resolvers and the servers behind them took. */
export const tracePlugin: GraphiQLPlugin = { title: 'Cost and trace', icon: PulseIcon, content: TraceView };

function useAnswer(): Answer | null {
  return useSyncExternalStore(subscribe, lastAnswer);
}

function TraceView() {
  const answer = useAnswer();
  if (!answer) {
    return (
      <section className="trace">
        <h2>Cost and trace</h2>
        <p>Run a query: what it cost and where its time went is shown here.</p>
      </section>
    );
  }
  const { cost, trace } = answer;
  return (
    <section className="trace">
      <h2>Cost and trace</h2>
      {cost && (
        <dl>
          <dt>Cost</dt>
          <dd>{cost.actualQueryCost ?? 'not run'}</dd>
          <dt>Estimated before</dt>
          <dd>{cost.requestedQueryCost}</dd>
          <dt>Budget left</dt>
          <dd>
            {cost.throttleStatus.currentlyAvailable} of {cost.throttleStatus.maximumAvailable}, {cost.throttleStatus.restoreRate} come back each
            second
          </dd>
        </dl>
      )}
      {trace ? (
        <>
          <h3>Calls to servers ({trace.calls.length})</h3>
          <Spans spans={trace.calls} whole={trace.duration} />
          <h3>Resolvers ({trace.resolvers.length})</h3>
          <Spans spans={trace.resolvers} whole={trace.duration} />
        </>
      ) : (
        <p>This answer has no trace: it came over a stream, or was not run.</p>
      )}
    </section>
  );
}

const shownSpans = 100;

function Spans({ spans, whole }: { spans: Span[]; whole: number }) {
  const sorted = [...spans].sort((a, b) => a.start - b.start).slice(0, shownSpans);
  return (
    <table>
      <tbody>
        {sorted.map((span, i) => (
          <tr key={i}>
            <td>{span.path ?? `${span.backend} ${span.operation}`}</td>
            <td>{span.duration.toFixed(1)} ms</td>
            <td className="bar">
              <svg viewBox="0 0 100 8" preserveAspectRatio="none" role="img" aria-label={`from ${span.start.toFixed(1)} ms`}>
                <rect x={(100 * span.start) / whole} width={Math.max(0.8, (100 * span.duration) / whole)} height="8" />
              </svg>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Summary is one line about the last answer. */
export function Summary() {
  const answer = useAnswer();
  if (!answer) {
    return <p className="summary">Ctrl-Enter runs a query; its cost and time will be shown here.</p>;
  }
  const { cost, trace } = answer;
  const calls = new Map<string, number>();
  trace?.calls.forEach((call) => calls.set(call.backend ?? '', (calls.get(call.backend ?? '') ?? 0) + 1));
  const parts = [
    cost && `cost ${cost.actualQueryCost ?? 0} (estimated ${cost.requestedQueryCost})`,
    cost && `budget ${cost.throttleStatus.currentlyAvailable} of ${cost.throttleStatus.maximumAvailable}`,
    answer.events > 0 ? `event ${answer.events}` : `${answer.took.toFixed(0)} ms`,
    trace && `${trace.duration.toFixed(1)} ms in the shop`,
    trace && (calls.size ? [...calls].map(([backend, n]) => `${backend} ${n}`).join(', ') : 'no calls to servers'),
    answer.bytes !== null && `${(answer.bytes / 1000).toFixed(1)} kB`,
    answer.errors > 0 && `${answer.errors} ${answer.errors === 1 ? 'error' : 'errors'}`,
  ];
  return <p className="summary">{parts.filter(Boolean).join(' · ')}</p>;
}

function BookIcon() {
  return (
    <svg width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M5 4h12a2 2 0 0 1 2 2v14H7a2 2 0 0 1-2-2V4zM5 18a2 2 0 0 1 2-2h12M9 8h6M9 12h4" />
    </svg>
  );
}

function PulseIcon() {
  return (
    <svg width="24" height="24" viewBox="0 0 24 24" fill="none" stroke="currentColor" strokeWidth="1.5" aria-hidden="true">
      <path d="M3 12h4l3-7 4 14 3-7h4" />
    </svg>
  );
}
